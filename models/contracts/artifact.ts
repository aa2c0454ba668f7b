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
/** By this name a graph knows the file of its large tensors, which lies beside it; absent where it has none, or holds them itself. */
export const weightsFile = 'recommend.weights';

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

/** What a charter asks of a candidate's index; the cheapest way that gives it is taken. */
export const indexConstraint = z.strictObject({
  /** Of the best 100 by float32, the share that is found. */
  recallAt100: z.number().gt(0).max(1).default(0.99),
  /** Of a whole request to the graph, on one thread. */
  p99Ms: z.number().positive(),
  /** Of the graph. */
  memoryMb: z.number().positive(),
});
export type IndexConstraint = z.infer<typeof indexConstraint>;

/** What a charter may ask of a graph's item vectors besides float32: a quarter of the size. They are kept so where the answers stay the same. */
export const roundedWeights = z.literal('8-bit');

/** `index.json`, of a candidate whose charter has a constraint or asks for small weights: how its graph finds the best, and in what it keeps its items. */
export const indexChoice = z.strictObject({
  kind: z.literal('index'),
  retrieval: retrievalWay,
  /** Absent: float32. */
  weights: roundedWeights.optional(),
});
export type IndexChoice = z.infer<typeof indexChoice>;

const measuredIndex = z.strictObject({
  /** Null: a library's, for comparison. No graph holds it, so it cannot be chosen. */
  way: retrievalWay.nullable(),
  /** Of the item vectors; absent: float32. */
  weights: roundedWeights.optional(),
  name: z.string(),
  /** Of what the exact graph over float32 answers, the share that is found, of the best 100 and of the best 20. */
  recallAt100: z.number(),
  agreementAt20: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  bytes: z.number().int(),
  buildSeconds: z.number(),
  /** Why it was not to be chosen; empty where it could be. */
  objections: z.array(z.string()),
});
export type MeasuredIndex = z.infer<typeof measuredIndex>;

/** Beside the artifact, of the training of a recipe on a window: what was measured, where, and what was chosen by it. A rerun chooses the same. */
export const indexMeasurements = z.strictObject({
  kind: z.literal('index-measurements'),
  window: digestString,
  recipe: digestString,
  /** Absent: the weights alone were to be chosen. */
  constraint: indexConstraint.optional(),
  items: z.number().int(),
  requests: z.number().int(),
  cpu: z.string(),
  measured: z.array(measuredIndex).min(1),
  chosen: retrievalWay,
  weights: roundedWeights.optional(),
  why: z.string(),
});
export type IndexMeasurements = z.infer<typeof indexMeasurements>;

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
  /** file name → digest: `recommend.onnx` with or without `recommend.weights`, `vocabulary.json` (array of item ids, index = position), others as the algorithm needs. */
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
