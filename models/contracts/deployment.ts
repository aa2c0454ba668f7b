import { z } from 'zod';
import { digestString, epochMs, externalId, machineName, surfaceName } from './ids.ts';

/** In one release. */
export const challengersAtMost = 6;

export const variantName = z.enum(['champion', 'challenger']);
export type VariantName = z.infer<typeof variantName>;

/** `shadow`: the challenger answers too, unseen. `canary`: it answers `share` of the newly enrolled users. */
export const canarySpec = z.strictObject({
  releaseId: externalId,
  artifact: digestString,
  mode: z.enum(['shadow', 'canary']),
  /** Zero-based rung of the ladder; shadow is stage -1. */
  stage: z.number().int().min(-1),
  cap: z.number().min(0).max(1),
  /** Share of new enrolments for the challenger, within [cap/2, cap]. */
  share: z.number().min(0).max(1),
  /** Share of new enrolments in each segment of visitors, where they differ; `share` for all others. */
  segmentShares: z.record(machineName, z.number().min(0).max(1)).optional(),
  /**
   * The release's other challengers, in an order that stays: in the hash's range they follow `artifact`. Where there are any, one whose share is 0 is out
   * and its users are the champion's again, and `segmentShares` is absent.
   */
  rivals: z
    .array(z.strictObject({ artifact: digestString, share: z.number().min(0).max(1) }))
    .min(1)
    .max(challengersAtMost - 1)
    .optional(),
  /** Hashed with the unit to assign it: one salt a release. */
  salt: z.string().min(1),
});
export type CanarySpec = z.infer<typeof canarySpec>;

/** Who wrote a generation and in which role: the release workflow, or a person who overrides it (`action`). */
export const deploymentAuthor = z.strictObject({
  kind: z.enum(['release', 'override', 'bootstrap']),
  name: z.string().min(1),
  reason: z.string(),
  action: z.enum(['abort', 'rollback', 'pause', 'resume']).optional(),
});

/**
 * What the serving tier obeys for a surface: generation g in the series `deployment/<surface>`. Whoever writes g has read
 * g-1 (`replaces`); a writer that is late finds g taken and is fenced off.
 */
export const deploymentSpec = z.strictObject({
  kind: z.literal('deployment'),
  surface: surfaceName,
  generation: z.number().int().min(1),
  replaces: z.number().int().min(0),
  /** The step that wrote it: a retry of the same step finds its own work. */
  operationId: externalId,
  champion: digestString,
  championRelease: externalId,
  /** The champion before this one: what `rollback` goes back to. */
  previousChampion: digestString.nullable(),
  canary: canarySpec.nullable(),
  /** Registered but not (yet) under canary: its top items get exploration support. */
  challenger: digestString.nullable(),
  /** Challengers of the same release beside `challenger`, those that are out excepted. */
  rivals: z.array(digestString).optional(),
  charter: digestString,
  catalog: digestString,
  /** Releases that were fenced off by an override and may write nothing more. */
  fencedReleases: z.array(externalId),
  paused: z.boolean(),
  author: deploymentAuthor,
  createdAtMs: epochMs,
});
export type DeploymentSpec = z.infer<typeof deploymentSpec>;

/** All challengers of a canary, those that are out (share 0) among them, in the order of the hash's range. */
export function challengersOf({ artifact, share, rivals = [] }: Pick<CanarySpec, 'artifact' | 'share' | 'rivals'>): { artifact: string; share: number }[] {
  return [{ artifact, share }, ...rivals];
}
