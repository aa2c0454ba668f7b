import type { TuningSearch } from '../../models/contracts/tuning.ts';

/** `share` of the train part's users, and how many trials are trained on them. */
export type Rung = { share: number; trials: number };

/**
 * Successive halving (Jamieson and Talwalkar 2016, fig. 3; in the terms of Li et al. 2018, sec. 3: n configurations, resource R = all users, one bracket):
 * with the largest s for which eta^-s is not below `minShare` and n eta^-s not below 1, rung k = 0 .. s has floor(n eta^-k) trials on a share of eta^(k-s).
 * Without halving there is one rung.
 */
export function planRungs({ trials, halving }: { trials: number; halving?: TuningSearch['halving'] }): Rung[] {
  if (halving === undefined) return [{ share: 1, trials }];
  const { eta, minShare } = halving;
  let steps = 0;
  while (eta ** (steps + 1) <= trials && eta ** -(steps + 1) >= minShare * (1 - 1e-9)) steps += 1;
  return Array.from({ length: steps + 1 }, (_, rung) => ({ share: 1 / eta ** (steps - rung), trials: Math.floor(trials / eta ** rung) }));
}

/** In trainings on all users, as far as the time of one grows with them. */
export const costOf = (rungs: readonly Rung[]): number => rungs.reduce((sum, { share, trials }) => sum + share * trials, 0);

/** `value` is null where the trial could not be trained. */
export type Outcome = { trial: number; rung: number; value: number | null };
export type NextTrials = { kind: 'trials'; rung: number; due: number[] } | { kind: 'chosen'; trial: number } | { kind: 'none' };

/**
 * What is to be tried next, by all that was measured so far, in whatever order it came: the trials of the lowest rung that is not complete, or, behind the last,
 * the best one. More is better; of equals the first goes before. What could not be trained goes nowhere; `none` where that is all that there is.
 */
export function nextTrials({ rungs, outcomes }: { rungs: readonly Rung[]; outcomes: readonly Outcome[] }): NextTrials {
  let entered = Array.from({ length: rungs[0]?.trials ?? 0 }, (_, trial) => trial);
  for (const [rung, { trials }] of rungs.entries()) {
    if (rung > 0) entered = entered.slice(0, trials).sort((a, b) => a - b);
    const here = new Map(outcomes.filter((one) => one.rung === rung).map(({ trial, value }) => [trial, value]));
    const due = entered.filter((trial) => !here.has(trial));
    if (due.length > 0) return { kind: 'trials', rung, due };
    const figureOf = (trial: number) => here.get(trial) ?? Number.NEGATIVE_INFINITY;
    entered = entered.filter((trial) => here.get(trial) !== null).sort((a, b) => figureOf(b) - figureOf(a) || a - b);
  }
  const [best] = entered;
  return best === undefined ? { kind: 'none' } : { kind: 'chosen', trial: best };
}
