import { z } from 'zod';
import { machineName } from './ids.ts';
import { interval, verdict } from './verdict.ts';

/** One figure of what the log can carry. Where it has not passed, there is no verdict, and `sentence` says why. */
export const logDiagnostic = z.strictObject({ name: machineName, value: z.number(), limit: z.number().nullable(), passed: z.boolean(), sentence: z.string() });
export type LogDiagnostic = z.infer<typeof logDiagnostic>;

/** An estimator that assumes less, on the places where it is possible, beside the one that decides on the same places; nulls where too few rewards stand there. */
export const assumptionCheck = z.strictObject({
  name: z.enum(['slot-ips', 'reward-interaction-ips', 'cascade-dr']),
  /** Part of the candidate's slate, by examination, of which it can speak. */
  share: z.number(),
  itemPosition: z.number().nullable(),
  own: z.number().nullable(),
  passed: z.boolean(),
  sentence: z.string(),
});
export type AssumptionCheck = z.infer<typeof assumptionCheck>;

/** The lift by estimators with other assumptions; they decide nothing. */
const sensitivity = z.strictObject({
  marginalized: z.strictObject({ lift: interval }).nullable(),
  pseudoInverse: z.strictObject({ lift: interval.nullable(), share: z.number(), sentence: z.string() }),
});
export type Sensitivity = z.infer<typeof sensitivity>;

const exposureBias = z.strictObject({
  items: z.number().int(),
  /** Spearman's, of exposure and engagements over items. */
  rankCorrelation: z.number().nullable(),
  groups: z.array(
    z.strictObject({
      group: z.string(),
      items: z.number().int(),
      exposureShare: z.number(),
      engagementShare: z.number(),
      /** Engagements by examination: of all that was shown, and of what exploration drew, where the place is chance. */
      rate: z.number().nullable(),
      rateWhenDrawn: z.number().nullable(),
    }),
  ),
});
export type ExposureBias = z.infer<typeof exposureBias>;

/** What the replay of the log foretells. Fields that are optional are absent in reports from before. */
export const counterfactualResult = z.strictObject({
  slates: z.number().int(),
  users: z.number().int(),
  /** Reward a slate of the candidate by each estimator: normal intervals by user. They describe; the lift decides. */
  ips: interval,
  snips: interval,
  dr: interval.optional(),
  /** Of the champion, doubly robust. */
  champion: interval.optional(),
  /** The same log's own mean reward a slate: what the logging policy earned. */
  logged: interval,
  /**
   * Candidate minus champion, reward a slate, paired on the same slates: the interval of its draws, wider by what is not known of examination and by the worst case
   * of what has no support. The verdict reads its ends.
   */
  lift: interval,
  /** How its draws were judged: by their likelihood, or by bets where too few rewards carry the lift. */
  liftInterval: z.enum(['empirical-likelihood', 'betting']).optional(),
  /** Of the lift, clustered by user. */
  standardError: z.number().optional(),
  /** Half-width of examination's error, which adds to that of the draws as independent errors do, and the worst case of what has no support. */
  widenedBy: z.strictObject({ examination: z.number(), unsupportedBelow: z.number(), unsupportedAbove: z.number() }).optional(),
  /** [slots] how far each is examined, of the first. */
  examination: z.array(interval).optional(),
  effectiveSampleSize: z.number(),
  maxWeight: z.number(),
  /** Share of the target policy's slots to which the log gave a positive propensity. */
  support: z.number(),
  diagnostics: z.array(logDiagnostic).optional(),
  checks: z.array(assumptionCheck).optional(),
  sensitivity: sensitivity.optional(),
  exposure: exposureBias.optional(),
  /** Predicted lift for each success metric, as events a slate, of candidate and champion on the same requests. */
  kpis: z.record(machineName, z.strictObject({ candidate: interval, champion: interval, lift: interval })).optional(),
  /** Share of the slates of which the client said that a part was seen; 0 also where clients do not say. */
  impressed: z.number().optional(),
  /** Slates that cannot be used, and why. */
  voided: z.number().int(),
  voidedBy: z.record(z.string(), z.number().int()).optional(),
  verdict,
  reason: z.string(),
});
export type CounterfactualResult = z.infer<typeof counterfactualResult>;
