import { z } from 'zod';
import { dayString, digestString, epochMs, externalId, surfaceName } from './ids.ts';

/** Random, and so nobody's: the one name of an erasure that may stand anywhere. */
export const erasureId = z.string().regex(/^er-[0-9a-f]{24}$/, 'er-<24 hex digits>');

/** Ids as surfaces keep them: as they are, and the pseudonyms by which some know people. */
const ids = z.array(externalId).max(100_000);
export const subjects = z.strictObject({ userIds: ids, sessionIds: ids, deviceIds: ids });
export type Subjects = z.infer<typeof subjects>;

const version = z.strictObject({ surface: surfaceName, day: dayString, source: z.string(), was: digestString, is: digestString.nullable() });

/** What must be known while people are erased, in a file of its own that goes at the end. The one place that may name them meanwhile. */
export const erasureRequest = z.strictObject({
  kind: z.literal('erasure-request'),
  id: erasureId,
  /** As asked for. */
  people: subjects,
  /** With the sessions and devices that are theirs and nobody else's. */
  whole: z.strictObject({ userIds: z.array(externalId), sessionIds: z.array(externalId), deviceIds: z.array(externalId) }).nullable(),
  /** Of each of the people, in order: SHA-256 of their receipt and id. */
  commitments: z.array(digestString),
  by: z.string().min(1),
  why: z.string().min(1),
  /** The requester's own number for it. */
  reference: z.string().nullable(),
  /** What becomes of models that were trained on them. */
  models: z.enum(['retrain', 'keep']),
  requestedAtMs: epochMs,
  /** Surfaces that had something of them, as far as it is known. */
  surfaces: z.array(surfaceName),
  /** What was removed so far. */
  removed: z.record(z.string(), z.number().int()),
  slices: z.array(version),
  blobs: z.array(digestString),
});
export type ErasureRequest = z.infer<typeof erasureRequest>;

/** What was removed, and what was looked at to say so. Holds no id of anybody, raw or hashed. */
export const erasureCertificate = z.strictObject({
  kind: z.literal('erasure-certificate'),
  id: erasureId,
  /** Surfaces that had something of them. */
  surfaces: z.array(surfaceName),
  people: z.number().int(),
  /**
   * SHA-256 of receipt and id: whoever holds the receipt and knows the id can tell that the certificate is about them. Without the receipt it says
   * nothing of anybody, since every id would fit.
   */
  commitments: z.array(digestString),
  requestedAtMs: epochMs,
  doneAtMs: epochMs,
  by: z.string(),
  why: z.string(),
  reference: z.string().nullable(),
  /** Records by where they stood. */
  removed: z.record(z.string(), z.number().int()),
  /** Days that have another version now; null where nothing is left of them. */
  slices: z.array(version),
  /** Windows that were cut over these days, and the same windows over the days as they are now; null where nothing is left to train on. */
  windows: z.array(z.strictObject({ was: digestString, is: digestString.nullable() })),
  /** Blobs that are gone for good. */
  blobs: z.array(digestString),
  runs: z.array(z.strictObject({ surface: surfaceName, runId: z.string(), artifact: digestString, isChampion: z.boolean() })),
  models: z.strictObject({ decision: z.enum(['retrain', 'keep']), why: z.string() }),
  /** Files of the state directory that were read at the end, and what was found of these people in them. */
  verified: z.strictObject({ files: z.number().int(), bytes: z.number().int(), found: z.literal(0) }),
});
export type ErasureCertificate = z.infer<typeof erasureCertificate>;

/** Ed25519 (RFC 8032) over the certificate as canonical JSON. */
export const signedCertificate = z.strictObject({
  certificate: erasureCertificate,
  signature: z.string(),
  /** SPKI in base64. Whether it is the one you trust is for you to know. */
  publicKey: z.string(),
});
export type SignedCertificate = z.infer<typeof signedCertificate>;
