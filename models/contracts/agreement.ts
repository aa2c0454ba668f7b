import { z } from 'zod';
import { digestString, epochMs, externalId, surfaceName } from './ids.ts';
import { interval, verdict } from './verdict.ts';

/**
 * What the log foretold of one release and what its canary then saw, side by side. Both lifts are shares of the champion's own mean: the one is by
 * slate, the other by user.
 */
export const agreement = z.strictObject({
  kind: z.literal('agreement'),
  surface: surfaceName,
  releaseId: externalId,
  atMs: epochMs,
  evidence: digestString,
  predicted: z.strictObject({ verdict, lift: interval }),
  /** By the canary's stopped confidence sequence. */
  observed: z.strictObject({ verdict, lift: interval }),
});
export type Agreement = z.infer<typeof agreement>;

/** Counts over a surface's agreements. */
export const trackRecord = z.strictObject({
  canaries: z.number().int(),
  /** The interval that was foretold and the one that was seen have a lift in common. */
  compatible: z.number().int(),
  /** Both had a verdict of better or worse: how often, and how often the same. */
  bothDecided: z.number().int(),
  sameVerdict: z.number().int(),
  /** Mean of observed minus predicted lift, as a share of the champion's mean. */
  meanGap: z.number(),
  sentence: z.string(),
});
export type TrackRecord = z.infer<typeof trackRecord>;
