import type { z } from 'zod';
import type { RetrievalWay } from '../contracts/artifact.ts';
import type { Measure } from '../contracts/embedding-set.ts';
import type { GraphBytes, OnnxBuilder } from '../graph/onnx-builder.ts';
import type { RecommendInputs } from '../graph/recommend-interface.ts';
import type { ItemScoring } from '../graph/retrieval/item-scoring.ts';
import type { Gpu } from '../gpu/gpu.ts';

/**
 * User by item interactions as compressed rows: user u's entries are `indptr[u] .. indptr[u+1]`, ordered by time and then by
 * item index. An item may stand several times in a row (several events).
 */
export type Interactions = {
  userCount: number;
  itemCount: number;
  /** [userCount + 1] */
  indptr: Uint32Array;
  /** [entries] item index, 0 .. itemCount - 1 */
  items: Uint32Array;
  /** [entries] confidence of the event's kind, > 0 */
  weights: Float32Array;
  /** [entries] epoch milliseconds */
  atMs: Float64Array;
};

/**
 * What the catalog says of the items (item-attributes.ts), as compressed rows: those of item i are `attributes[indptr[i] .. indptr[i+1]]`, rising. An attribute
 * is one value of one field; items that share it have the same number.
 */
export type ItemAttributes = {
  /** [itemCount + 1] */
  indptr: Uint32Array;
  /** [entries] 0 .. fieldOf.length - 1 */
  attributes: Uint32Array;
  fields: readonly string[];
  /** [attributes there are] index into `fields` */
  fieldOf: Uint8Array;
};

export type TrainStep = {
  done: number;
  /** At most: training may end before, where it gets no better. */
  total: number;
  note: string;
  /** What a learning curve has of this step, by name. */
  figures?: Readonly<Record<string, number>>;
  /** To be had before the next step. */
  checkpoint: () => Uint8Array | Promise<Uint8Array>;
};

export type TrainHooks = {
  /** Called between steps: the place for heartbeats, progress and cancellation (throw to stop). */
  onStep?: (step: TrainStep) => Promise<void> | void;
  /** Bytes that an earlier run's `checkpoint()` gave for the same input: training goes on from there, to the same result. */
  resumeFrom?: Uint8Array | undefined;
  /** That may compute at once; 1 where nobody says. What comes out is the same for any number. */
  threads?: number;
  /** To train on; absent: on the CPU. What comes out is about the same, not to the bit. */
  gpu?: Gpu | undefined;
};

export type ScoreRequest = {
  /** Vocabulary indexes, oldest first; may be empty. */
  history: readonly number[];
  /** Same length. */
  historyWeight: readonly number[];
  exclude: readonly number[];
  /** [itemCount] 0 in scope, -1e9 out; absent: all in scope. */
  scopeBias?: Float32Array | undefined;
  count: number;
};
export type Ranked = { items: number[]; scores: number[] };

/** A trained model in memory. `recommend` is the trainer's own arithmetic, against which the graph is checked. */
export interface Model {
  /** Best first, ties to the lower index, disallowed items absent (so it may be shorter than `count`). */
  recommend(request: ScoreRequest): Ranked;
  /**
   * `recommend.onnx` and its weights by the interface in contracts/artifact.ts. Deterministic bytes.
   * @param how of models that score by a product of vectors; absent: by looking at every item
   * @throws UND-INPUT where a way is none for the model
   */
  exportGraph(how?: { retrieval?: RetrievalWay | undefined }): GraphBytes;
  maxHistory: number;
  /**
   * Present where item vectors are most of its graph: the same model over the nearest vectors that 8 bits hold (models/graph/retrieval/item-table.ts). Its
   * graph has a quarter of the size, and answers what this model does.
   */
  rounded?(): Model;
  /** Present where the products of vectors decide its scores: these, for comparison with other indexes. */
  products?(): Products;
  /** The same as nodes, for a way of retrieval to go on from, or a second stage. */
  declareItems?(graph: OnnxBuilder, inputs: RecommendInputs): ItemScoring;
  /** The vectors by which it knows its items, for others to be made over. Of items only: no row of it is a person's. */
  embeddings?(): Embeddings;
  /** Present where a heavier model taught it: what that saves and costs. */
  distillation?(): Distillation;
  /** What a later training may begin from (`WarmStart.kept`). Of items only: no row of it is a person's. */
  keep?(): Uint8Array;
}

/** score = vector of the item . vector of the query, but for what tells apart items of about the same product. */
export type Products = {
  width: number;
  /** float32 [itemCount, width] at least; the array that the graph is made of. */
  vectors: Float32Array;
  /** [width] */
  queryOf(request: ScoreRequest): ArrayLike<number>;
};

export type Distillation = {
  teacher: ModelSize;
  student: ModelSize;
  /** NDCG@10 of each user that neither of them was trained on. */
  heldOut: { teacher: Float64Array; student: Float64Array };
  /** Of the teacher's best 20 for what was held out, the share that is among the student's. */
  agreementAt20: number;
};
export type ModelSize = { /** Numbers that were learned. */ parameters: number /** Of the graph. */; bytes: number };

export type Embeddings = {
  dimensions: number;
  measure: Measure;
  /** [itemCount, dimensions]; all 0 where nothing is known of the item. */
  vectors: Float32Array;
};

/** What training may begin from: what an earlier model of the same algorithm kept. */
export type WarmStart = {
  kept: Uint8Array;
  /** [items of then] index of the same item now; -1 where it is gone */
  itemNow: Int32Array;
};

export interface Algorithm<Params = unknown> {
  name: string;
  params: z.ZodType<Params>;
  /**
   * Present where training can begin from what an earlier model kept: the parameters for that, where nobody says others. It then takes fewer steps to
   * get as far.
   */
  warmParams?(params: Params): Params;
  /** Present: its models score by a product of vectors, and their graphs can find the best in several ways (models/graph/retrieval). */
  retrieval?: 'product';
  /** Present: it learns from what the catalog says of every item. Others are told of it where there are items without events. */
  attributes?: 'read';
  /** Present: it can train on a GPU too. */
  gpu?: 'can';
  /** `made`: its models have `embeddings`. `given`: it trains over those of another, and cannot do without. */
  embeddings?: 'made' | 'given';
  /**
   * Same interactions, params, seed and start: same model to the bit, resumed or not. A start that shares no item with now is none.
   * @throws UND-INPUT or UND-DIGEST where the start cannot be used; UND-INPUT where embeddings are to be given and are not
   */
  train(
    input: {
      interactions: Interactions;
      params: Params;
      seed: number;
      warm?: WarmStart | undefined;
      embeddings?: Embeddings | undefined;
      /** Absent: nothing is known of any item. */
      attributes?: ItemAttributes | undefined;
    },
    hooks?: TrainHooks,
  ): Promise<Model>;
}
