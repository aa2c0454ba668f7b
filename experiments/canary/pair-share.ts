/**
 * A challenger's share among the users who met it or the champion. Of these each met it with p / (p + p0), p0 being what all challengers left to the
 * champion, whatever else was offered: so the two are a canary of one challenger with that share. Null where it took no part. One alone has exactly its own.
 */
export function pairShare({ own, all }: { own: number; all: readonly number[] }): number | null {
  if (own <= 0) return null;
  const free = 1 - all.reduce((sum, share) => sum + share, 0);
  // Shares that fill everything may come out a little above 1.
  return own / (own + Math.max(0, free));
}
