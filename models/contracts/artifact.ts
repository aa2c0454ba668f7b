import { z } from 'zod';
import { digestString, machineName, surfaceName } from './ids.ts';

/**
 * The one graph every artifact has, `recommend.onnx`, opset 18. n = number of items in the vocabulary.
 *
 * Inputs
 * - `history`        int64   [h]    vocabulary indexes, most recent last; n is the padding row. h >= 1.
 * - `history_weight` float32 [h]    confidence of each; 0 for padding.
 * - `exclude`        int64   [e]    vocabulary indexes never to answer; n means none. e >= 1.
 * - `scope_bias`     float32 [n]    0 where the item is in scope, -1e9 where it is not.
 * - `count`          int64   [1]    how many to answer, 1..n.
 * Outputs
 * - `items`          int64   [count]  best first; ties broken by the lower index.
 * - `scores`         float32 [count]  below -1e8 means: not allowed, ignore this and all after it.
 */
export const recommendGraphInterface = 'understudy.recommend/1';

/**
 * How a graph finds the best of its items (models/graph/retrieval). `rerank`: so many candidates for each item that is to be answered are scored again in
 * float32. `probes`: so many cells, of `cellItems` items at most, are looked into.
 */
export const retrievalWay = z.discriminatedUnion('way', [
  z.strictObject({ way: z.literal('exact') }),
  z.strictObject({ way: z.literal('exact-8bit'), rerank: z.number().int().min(1).max(100) }),
  z.strictObject({ way: z.literal('exact-4bit'), rerank: z.number().int().min(1).max(100) }),
  z.strictObject({
    way: z.literal('inverted-lists'),
    cellItems: z.number().int().min(2).max(10_000),
    probes: z.number().int().min(1).max(100_000),
    seed: z.number().int(),
  }),
]);
export type RetrievalWay = z.infer<typeof retrievalWay>;
export type WayNamed<Name extends RetrievalWay['way']> = Extract<RetrievalWay, { way: Name }>;

/** The deterministic core. Its canonical JSON's digest is the artifact's digest. Nothing measured stands in here. */
export const artifactManifest = z.strictObject({
  kind: z.literal('artifact'),
  interface: z.literal(recommendGraphInterface),
  surface: surfaceName,
  candidate: machineName,
  algorithm: machineName,
  params: z.record(z.string(), z.json()),
  window: digestString,
  recipe: digestString,
  seed: z.number().int(),
  itemCount: z.number().int().min(1),
  /** Longest history the model reads; older entries are dropped by the caller. */
  maxHistory: z.number().int().min(1).max(1000),
  /** file name → digest: `recommend.onnx`, `vocabulary.json` (array of item ids, index = position), others as the algorithm needs. */
  files: z.record(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,100}$/), digestString),
  /** Version of the embedding set that the model made or was made over (contracts/embedding-set.ts). Absent: none, as of all that came before there were any. */
  embeddings: digestString.optional(),
});
export type ArtifactManifest = z.infer<typeof artifactManifest>;

/** An artifact with its bytes in memory: what an algorithm's `export` gives, before it is stored. */
export type ArtifactFiles = { 'recommend.onnx': Uint8Array; 'vocabulary.json': Uint8Array; [name: string]: Uint8Array };

/** Beside the artifact: fixed requests and the trainer's own answers, which a replica must reproduce before it serves. */
export const parityRecord = z.strictObject({
  requests: z.array(
    z.strictObject({
      history: z.array(z.number().int()),
      historyWeight: z.array(z.number()),
      exclude: z.array(z.number().int()),
      items: z.array(z.number().int()),
      scores: z.array(z.number()),
    }),
  ),
  /** Largest allowed |graph - trainer| / max(1, |trainer|) of a score. */
  tolerance: z.number().positive(),
});
export type ParityRecord = z.infer<typeof parityRecord>;
