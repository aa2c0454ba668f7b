/** What an answer's time is made of, in order: what is known of the visitor, the models, the rungs below, and what makes a slate of a ranking. */
export const stages = ['visit', 'model', 'fallback', 'arrange'] as const;
export type Stage = (typeof stages)[number];

/** A stopwatch: each stage has the time since the end of the one before it. In milliseconds, to a microsecond. */
export function stageTimes(now: () => number = () => performance.now()): { end: (stage: Stage) => void; ms: Record<string, number> } {
  const ms: Record<string, number> = {};
  let since = now();
  return {
    ms,
    end(stage) {
      const at = now();
      ms[stage] = Math.round((at - since) * 1000) / 1000;
      since = at;
    },
  };
}
