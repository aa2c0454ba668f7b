import { z } from 'zod';
import { digestString, machineName, surfaceName } from './ids.ts';
import { trackRecord } from './agreement.ts';
import { counterfactualResult } from './counterfactual.ts';
import { interval, verdict } from './verdict.ts';
import { tuning } from './tuning.ts';
import { dayRange } from './window.ts';

export const releaseIntent = z.enum(['bootstrap', 'refresh', 'replace']);
export type ReleaseIntent = z.infer<typeof releaseIntent>;

/** One gate's answer. `value` and `threshold` are what was compared; `reason` is a sentence for a person. */
export const gateResult = z.strictObject({
  gate: machineName,
  passed: z.boolean(),
  value: z.number().nullable(),
  threshold: z.number().nullable(),
  reason: z.string(),
});
export type GateResult = z.infer<typeof gateResult>;

/** Metric name → value with a bootstrap interval by user. Names as in `ndcg@10`, `recall@20`, `coverage@10`. */
export const metricTable = z.record(z.string(), interval);

/** Of some users. `tooFew`: fewer than the charter asks for, so there are no figures. */
const part = z.strictObject({ users: z.number().int(), tooFew: z.boolean().optional(), metrics: metricTable, lift: metricTable.nullable() });
export type ReportPart = z.infer<typeof part>;

/** One way in which the test part, or what came after the split, may be known to what is measured on it. */
const leakCheck = z.strictObject({
  check: machineName,
  passed: z.boolean(),
  value: z.number().nullable().optional(),
  limit: z.number().optional(),
  reason: z.string(),
});
export type LeakCheck = z.infer<typeof leakCheck>;

/** Over several splits, each counting alike. `deviation`: standard deviation between them; null of one alone. */
const spread = z.strictObject({ mean: z.number(), deviation: z.number().nullable(), lowest: z.number(), highest: z.number() });
export type Spread = z.infer<typeof spread>;

export const report = z.strictObject({
  kind: z.literal('report'),
  surface: surfaceName,
  candidate: machineName,
  algorithm: machineName,
  artifact: digestString,
  champion: digestString.nullable(),
  window: digestString,
  charter: digestString,
  /** The charter's fields that differ from the last release's charter: JSON pointer, before, now; `loosens` marks a gate made easier. */
  charterDiff: z.array(z.strictObject({ path: z.string(), before: z.json(), now: z.json(), loosens: z.boolean() })),
  intent: releaseIntent,
  users: z.number().int(),
  metrics: metricTable,
  championMetrics: metricTable.nullable(),
  /** Candidate minus champion, paired by user. */
  lift: metricTable.nullable(),
  /** Digest of `user-sums`, where the charter compares candidates by them. */
  userSums: digestString.optional(),
  /** The same of some users, or of some of what they wanted; absent in reports from before. */
  slices: z.record(machineName, part).optional(),
  /** The same of the users of each segment that the charter declares, as they were at the split; absent in reports from before. */
  segments: z.array(z.strictObject({ by: machineName, value: z.string(), ...part.shape })).optional(),
  /**
   * The candidate's and the champion's recipes, each trained on what was known at earlier splits too; the report's own split first. Absent where the
   * charter asks for one split.
   */
  origins: z
    .strictObject({
      asked: z.number().int(),
      /** Why there are fewer than were asked for, or no lifts. */
      note: z.string().optional(),
      splits: z.array(z.strictObject({ train: dayRange, test: dayRange, users: z.number().int(), metrics: metricTable, lift: metricTable.nullable() })),
      pooled: z.record(z.string(), spread),
      pooledLift: z.record(z.string(), spread).nullable(),
    })
    .optional(),
  /** How parameters were chosen, where the recipe left some to choose. */
  tuning: tuning.optional(),
  /**
   * What diversity costs: the candidate's lists as each weight of `slate.diversity` would make them, on a sample of the users. `lift` is against weight 0,
   * paired by user. Absent in reports from before, and without users.
   */
  frontier: z
    .strictObject({
      users: z.number().int(),
      depth: z.number().int(),
      /** The charter's. */
      chosen: z.number(),
      points: z.array(z.strictObject({ weight: z.number(), metrics: metricTable, lift: metricTable })).min(1),
    })
    .optional(),
  /**
   * What the charter's fairness costs and brings, at shares (`scale`) of what it asks for, on a sample of the users. `lift` is against scale 0, paired by user;
   * `exposure`: each group's share of the exposure; `fair`: share of the slates that hold as many of the group as the charter asks. Absent where it asks nothing.
   */
  fairness: z
    .strictObject({
      users: z.number().int(),
      method: z.enum(['fa-ir', 'exposure']),
      depth: z.number().int(),
      asked: z.array(z.strictObject({ name: machineName, share: z.number() })).min(1),
      points: z
        .array(
          z.strictObject({ scale: z.number(), metrics: metricTable, lift: metricTable, exposure: z.record(machineName, interval), fair: interval.optional() }),
        )
        .min(1),
    })
    .optional(),
  /** Whether the test part leaked into the model or into the measurement; absent in reports from before. */
  leak: z.array(leakCheck).optional(),
  /** What the replay of the log foretells; null where no slate of it can tell, and why. */
  counterfactual: counterfactualResult.nullable(),
  counterfactualAbsent: z.string().optional(),
  /** How earlier predictions of this surface's log fared in their canaries; absent without any. */
  trackRecord: trackRecord.optional(),
  parity: z.strictObject({ requests: z.number().int(), largestError: z.number(), passed: z.boolean() }),
  gates: z.array(gateResult),
  passed: z.boolean(),
  verdict,
  reasons: z.array(z.string()),
});
export type Report = z.infer<typeof report>;
