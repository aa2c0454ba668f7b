import { z } from 'zod';

/** A surface's name: used in paths, workflow ids and metric labels, so its alphabet is narrow. */
export const surfaceName = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes, at most 63');

/** `sha256:` and 64 hex digits: the name of anything immutable. */
export const digestString = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'sha256:<64 hex digits>');
export type Digest = z.infer<typeof digestString>;

/** Ids that come from outside (users, items, sessions, requests): printable, no spaces at the ends, no control characters, no half of a surrogate pair. */
export const externalId = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[^\p{Cc}\p{Cs}\s](?:[^\p{Cc}\p{Cs}]*[^\p{Cc}\p{Cs}\s])?$/u, 'printable, at most 128 characters');

/** A short machine name (candidate, gate, rule). */
export const machineName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'lower-case letters, digits, dot, dash, underscore');

/** Milliseconds since the Unix epoch, UTC. */
export const epochMs = z.number().int().min(0).max(8.64e15);

/** A calendar day in the surface's time zone. */
export const dayString = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'YYYY-MM-DD');

/** A queue of Temporal that somebody's worker serves. */
export const taskQueueName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$/, 'letters, digits, and . _ : / - between them, at most 200');
