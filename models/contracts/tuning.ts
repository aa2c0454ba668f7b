import { z } from 'zod';
import { digestString } from './ids.ts';
import { dayRange } from './window.ts';

const values = z.record(z.string(), z.json());

/** Without `trials`, so many combinations at most; with it, so many trials. */
export const gridAtMost = 64;
const trialsAtMost = 100;

/** Trials are drawn from it; on a `log` scale, evenly by their logarithm. */
const range = z
  .strictObject({ min: z.number(), max: z.number(), scale: z.enum(['linear', 'log']).default('linear'), integer: z.boolean().default(false) })
  .refine(({ min, max }) => max > min, 'max must be above min')
  .refine(({ min, scale }) => scale === 'linear' || min > 0, 'a log scale begins above 0')
  .refine(({ min, max, integer }) => !integer || (Number.isSafeInteger(min) && Number.isSafeInteger(max)), 'whole numbers lie between whole numbers');
export type TuningRange = z.output<typeof range>;

/** By parameter: values to try, or a range. */
export const tuningSpace = z
  .record(z.string(), z.union([z.array(z.json()).min(1).max(20), range], 'a list of values, or a range { min, max, scale, integer }'))
  .refine((space) => Object.keys(space).length > 0, 'names no parameter');
export type TuningSpace = z.output<typeof tuningSpace>;

/** How a space is searched. Without any of it all combinations of its lists are tried, each on all that there is. */
export const tuningSearch = z.strictObject({
  /** So many points of the space, drawn by the seed. */
  trials: z.number().int().min(2).max(trialsAtMost).optional(),
  /**
   * Successive halving: trials begin on a share of the users; on each next rung, of `eta` times as many users, the best 1/eta go on; the last has all of
   * them. The first share is not below `minShare`.
   */
  halving: z.strictObject({ eta: z.number().int().min(2).max(10).default(3), minShare: z.number().gt(0).lt(1).default(0.1) }).optional(),
});
export type TuningSearch = z.output<typeof tuningSearch>;

/** All combinations of a grid, in an order that is its own however it was written; the last parameter's values change fastest. */
export function combinations(grid: Record<string, readonly z.core.util.JSONType[]>): z.output<typeof values>[] {
  const names = Object.keys(grid).sort();
  return names.reduce<z.output<typeof values>[]>((all, name) => all.flatMap((one) => (grid[name] ?? []).map((value) => ({ ...one, [name]: value }))), [{}]);
}

const figures = { value: z.number(), low: z.number(), high: z.number() };

/** What one trial came to on one rung. */
export const trialMeasurement = z.strictObject({
  /** Its place among the trials, and the rung's; both from 0 on. */
  trial: z.number().int().min(0),
  rung: z.number().int().min(0),
  params: values,
  /** Null: it could not be trained, for the reason in `failed`. */
  measured: z.strictObject(figures).nullable(),
  failed: z.string().optional(),
  /** That it was trained on, and that it was measured on. */
  trainUsers: z.number().int().min(1),
  users: z.number().int().min(1),
  /** Training and measuring; not the same on another machine. */
  seconds: z.number().min(0),
});
export type TrialMeasurement = z.output<typeof trialMeasurement>;

/** All that was measured so far, with the seconds that it took. */
export const trialLog = z.strictObject({ kind: z.literal('trials'), window: digestString, recipe: digestString, measurements: z.array(trialMeasurement) });

/** What was tried on the validation part: `tuning.json` in the artifact. */
export const tuning = z.strictObject({
  kind: z.literal('tuning'),
  metric: z.string(),
  /** What the trials were trained on and measured on: days of the window's train part, with its gap between. */
  train: dayRange,
  validation: dayRange,
  users: z.number().int().min(1),
  /** Present where there were several: how many trials began on each, and the users that they were trained on. */
  rungs: z.array(z.strictObject({ share: z.number(), trainUsers: z.number().int(), trials: z.number().int() })).optional(),
  /**
   * In the order of the grid, or as they were drawn; with the figures of the last rung that they came to, which stands there where there were several. Of one that
   * could not be trained they are 0 and `failed` says why.
   */
  trials: z.array(z.strictObject({ params: values, ...figures, rung: z.number().int().optional(), failed: z.string().optional() })).min(1),
  /** Index of the best of the last rung; of equals the first. */
  chosen: z.number().int().min(0),
});
export type Tuning = z.infer<typeof tuning>;
