import { z } from 'zod';
import { agreement } from './agreement.ts';
import { canaryDecision } from './canary.ts';
import { epochMs, externalId, surfaceName } from './ids.ts';
import { interval } from './verdict.ts';

/** A canary as it stood at some time: users with an outcome of each variant, the share of new users then, the lift as it was known. */
export const canaryPoint = z.strictObject({
  atMs: epochMs,
  share: z.number(),
  champion: z.number().int(),
  challenger: z.number().int(),
  lift: interval,
});
export type CanaryPoint = z.infer<typeof canaryPoint>;

/** What a canary came to: its last decision, its way there, and what the log had foretold; null where the log had no estimate. */
export const canaryRecord = z.strictObject({
  kind: z.literal('canary-record'),
  surface: surfaceName,
  releaseId: externalId,
  decision: canaryDecision,
  points: z.array(canaryPoint),
  agreement: agreement.nullable(),
});
export type CanaryRecord = z.infer<typeof canaryRecord>;
