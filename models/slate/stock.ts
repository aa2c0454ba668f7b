const dayMs = 86_400_000;

type Input = { lastSeenMs: number; asOfMs: number; inStockDays: number | undefined };

/**
 * Whether an item counts as in stock at a time, as the last row of the data that sold or showed it tells: seen in the last `inStockDays` days.
 * Without that number every item is in stock. The one definition behind the flag of a catalog and the scope of an evaluation.
 */
export function inStockAt({ lastSeenMs, asOfMs, inStockDays }: Input): boolean {
  return inStockDays === undefined || lastSeenMs >= asOfMs - inStockDays * dayMs;
}
