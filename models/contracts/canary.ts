import { z } from 'zod';
import { digestString, externalId, machineName } from './ids.ts';
import { interval, verdict } from './verdict.ts';

/** What is known of one variant in a release: units enrolled, units whose outcome is ripe, their outcomes. */
export const armCounts = z.strictObject({
  enrolled: z.number().int(),
  ripe: z.number().int(),
  /** Units with any attributed reward. */
  converted: z.number().int(),
  /** Sum and sum of squares of the capped reward a unit. */
  rewardSum: z.number(),
  rewardSquares: z.number(),
  slates: z.number().int(),
  fallbacks: z.number().int(),
  errors: z.number().int(),
  latencyP99Ms: z.number(),
});
export type ArmCounts = z.infer<typeof armCounts>;

export const canaryAction = z.enum(['wait', 'advance', 'promote', 'roll-back']);

/** What may look like evidence and is none. It neither promotes nor rolls back; it is named. */
export const canaryCondition = z.strictObject({
  name: z.enum(['near-zero-traffic', 'silent-arm', 'duplicates', 'bot', 'paused-clock', 'delayed-rewards']),
  sentence: z.string(),
});
export type CanaryCondition = z.infer<typeof canaryCondition>;

/** One look at a canary: computed by pure statistics, recorded by an activity, obeyed by the workflow. */
export const canaryDecision = z.strictObject({
  releaseId: externalId,
  look: z.number().int(),
  stage: z.number().int(),
  action: canaryAction,
  /** Share to use from now on, within [cap/2, cap] of the stage that follows from the action. */
  share: z.number(),
  /** Share in each segment of users, where segments have shares of their own; `share` for all others. Within the same limits. */
  segmentShares: z.record(machineName, z.number()).optional(),
  verdict,
  reasons: z.array(z.string()),
  /** Absent where there is nothing of the kind. */
  conditions: z.array(canaryCondition).optional(),
  champion: armCounts,
  challenger: armCounts,
  /** Challenger minus champion, reward a unit, with the anytime-valid interval. */
  lift: interval,
  /** Mean reward a unit of each arm and their difference, with intervals that hold at one look. For people; nothing is decided by it. */
  reported: z.strictObject({ level: z.number(), champion: interval, challenger: interval, difference: interval }).optional(),
  probabilityBetter: z.number(),
  sampleRatioPValue: z.number(),
  evidenceDigest: digestString,
});
/** One look at several challengers of one release, by artifact: each against the champion, then what follows for all of them. */
export const amongDecision = z.strictObject({
  releaseId: externalId,
  look: z.number().int(),
  stage: z.number().int(),
  action: canaryAction,
  /** Of the challenger that this is decided by: the one with the greatest estimate of those that are left. */
  verdict,
  /** The challenger that is promoted. */
  promoted: z.string().nullable(),
  /** All that are out, and what this look says of those that were not before. */
  out: z.array(z.string()),
  decisions: z.record(z.string(), canaryDecision),
  /** From now on; 0 of those that are out. */
  shares: z.record(z.string(), z.number()),
});
export type AmongDecision = z.infer<typeof amongDecision>;

export type CanaryDecision = z.infer<typeof canaryDecision>;
