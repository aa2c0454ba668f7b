import type { ParityRecord } from '../../models/contracts/artifact.ts';
import type { EmbeddingSet } from '../../models/contracts/embedding-set.ts';
import type { Mask } from '../guard.ts';
import type { ProblemCode } from '../../models/contracts/problem.ts';

/** One artifact as a thread needs it: where the graph lies, what must be reproduced, what is in scope. */
export type HostedArtifact = {
  digest: string;
  graphPath: string;
  itemCount: number;
  maxHistory: number;
  parity: ParityRecord;
  /** [itemCount] 0 in scope, -1e9 out */
  scopeBias: Float32Array;
  embeddings?: HostedEmbeddings | undefined;
};

/** The embedding set that an artifact names. */
export type HostedEmbeddings = Pick<EmbeddingSet, 'count' | 'dimensions' | 'measure' | 'vectors'> & {
  version: string;
  vectorsPath: string;
  /** Whether questions about it come from the start: then it is held in memory from the start. */
  isAsked: boolean;
  /** [count] 1 where the item of the row is in scope */
  allowed: Uint8Array;
};

/** `mask`: what may be shown of the scope, where that is less than all of it; of the vocabulary, or of the rows of the set. */
type Masked = { mask?: Mask | undefined };
/** What one artifact is asked; indexes of its own vocabulary. */
export type ModelQuestion = Masked & { artifact: string; history: number[]; historyWeight: number[]; exclude: number[]; count: number };

/** What its embedding set is asked; rows of the set. The row that is asked for is not answered. */
export type SimilarQuestion = Masked & { artifact: string; like: { row: number } | { vector: number[] }; count: number };
export type VectorsQuestion = { artifact: string; vectorsOf: number[] };
export type Question = ModelQuestion | SimilarQuestion | VectorsQuestion;

/** `items` (or rows) and `scores` where it answered, `error` where it did not; `vectors` of the rows that were asked for. */
export type ModelAnswer = { items: number[]; scores: number[]; latencyMs: number; error: string | null; vectors?: number[][] };

/**
 * One question to one thread. After `expiresAtMs` (performance.timeOrigin + performance.now(), the same clock in all threads) nobody waits any more.
 */
export type ModelCall = { id: number; expiresAtMs: number; question: Question };
export type ModelReply = { id: number; answer: ModelAnswer };

export type ToWorker = { type: 'calls'; calls: ModelCall[] } | { type: 'close' } | { type: 'crash' };
export type FromWorker = { type: 'ready' } | { type: 'refused'; code: ProblemCode; message: string } | { type: 'replies'; replies: ModelReply[] };

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

export function noAnswer(error: string, latencyMs = 0): ModelAnswer {
  return { items: [], scores: [], latencyMs, error };
}
