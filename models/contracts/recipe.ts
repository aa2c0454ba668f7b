import { z } from 'zod';
import { eventKinds } from './event.ts';
import { machineName, surfaceName } from './ids.ts';

/**
 * Everything besides the window that decides what training gives: its digest and the window's name a run. Fields of the
 * charter that only matter later (gates, canary, approvers) are not in it, so changing them never trains anything again.
 */
export const recipe = z.strictObject({
  kind: z.literal('recipe'),
  surface: surfaceName,
  candidate: machineName,
  algorithm: machineName,
  params: z.record(z.string(), z.json()),
  seed: z.number().int(),
  confidence: z.partialRecord(z.enum(eventKinds), z.number()),
  repeatPolicy: z.enum(['allow', 'exclude-purchased']),
  /** Digest of a guest's files, so that other bytes are another recipe. */
  guest: z.string().nullable(),
});
export type Recipe = z.infer<typeof recipe>;
