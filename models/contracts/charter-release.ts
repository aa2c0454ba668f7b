import { z } from 'zod';
import { challengersAtMost } from './deployment.ts';

/** A whole number of milliseconds, at most a year. */
export const positiveMs = z
  .number()
  .int()
  .min(1)
  .max(366 * 86_400_000);
export const share = z.number().min(0).max(1);

/** A candidate's way from evidence to champion: who is asked, how it is rehearsed, what its canary must show. */
export const releaseRules = z.strictObject({
  approvers: z.array(z.strictObject({ name: z.string().min(1), role: z.string().min(1) })).min(1),
  /** Two different approvers must agree. */
  fourEyes: z.boolean().default(false),
  remindAfterMs: positiveMs.default(4 * 3_600_000),
  escalateAfterMs: positiveMs.default(24 * 3_600_000),
  expireAfterMs: positiveMs.default(72 * 3_600_000),
  /**
   * Before people are asked, the registered challenger's items get exploration support until the log holds this many slates, and the
   * counterfactual evidence is made again on them.
   */
  rehearsal: z
    .strictObject({ slates: z.number().int().min(0).default(20_000), maxDurationMs: positiveMs.default(7 * 86_400_000) })
    .default({ slates: 20_000, maxDurationMs: 7 * 86_400_000 }),
  /** No generation that moves traffic is written in these spans; aborts and rollbacks always are. */
  freezeWindows: z.array(z.strictObject({ fromMs: z.number().int(), toMs: z.number().int(), reason: z.string() })).default([]),
  /**
   * So many candidates of one request for retraining share a release, the best ones by `gates.primaryMetric`; the others are refused. Each meets the
   * champion with `canary.alpha` divided by their number, and loses its traffic as soon as it has lost.
   */
  challengers: z.number().int().min(1).max(challengersAtMost).default(1),
  canary: z.strictObject({
    shadowSlates: z.number().int().min(0).default(200),
    ladder: z
      .array(share.refine((value) => value > 0 && value < 1, 'between 0 and 1, both excluded'))
      .min(1)
      .default([0.01, 0.05, 0.1, 0.25, 0.5]),
    /** Time between two looks. */
    lookEveryMs: positiveMs.default(15 * 60_000),
    /** Ripe units of the challenger before a stage may end. One number a rung. */
    minUnits: z.array(z.number().int().min(1)).min(1),
    /** A canary without a verdict after this ends as `inconclusive` says. Time in which nothing was served does not count, up to as much again. */
    maxDurationMs: positiveMs.default(14 * 86_400_000),
    /**
     * What becomes of a challenger for and against which there is not enough evidence by then. `promote` holds for `refresh` only, on the last rung with
     * its `minUnits`, where the estimate itself lies within the margin; a replacement must have shown that it is better.
     */
    inconclusive: z.enum(['roll-back', 'promote']).default('roll-back'),
    /** Users of all variants together who are expected by then, where known: the test then aims at having its verdict with them. */
    plannedUsers: z.number().int().min(100).optional(),
    /** Error rate of a release: all reasons for a rollback share it, from the shadow stage on; promotion has as much of its own. */
    alpha: z.number().gt(0).lt(0.5).default(0.01),
    /** Non-inferiority margin of `refresh`, as a share of the champion's reward a unit. */
    refreshMargin: share.default(0.1),
    maxErrorShare: share.default(0.01),
    maxFallbackShare: share.default(0.05),
    maxP99Ms: z.number().positive().default(150),
  }),
});
