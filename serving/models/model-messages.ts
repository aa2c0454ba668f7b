import type { ParityRecord } from '../../models/contracts/artifact.ts';
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
};

/** What one artifact is asked; indexes of its own vocabulary. */
export type ModelQuestion = { artifact: string; history: number[]; historyWeight: number[]; exclude: number[]; count: number };

/** `items` and `scores` where it answered, `error` where it did not. */
export type ModelAnswer = { items: number[]; scores: number[]; latencyMs: number; error: string | null };

/**
 * One question to one thread. After `expiresAtMs` (performance.timeOrigin + performance.now(), the same clock in all threads) nobody waits any more.
 */
export type ModelCall = { id: number; expiresAtMs: number; question: ModelQuestion };
export type ModelReply = { id: number; answer: ModelAnswer };

export type ToWorker = { type: 'calls'; calls: ModelCall[] } | { type: 'close' } | { type: 'crash' };
export type FromWorker = { type: 'ready' } | { type: 'refused'; code: ProblemCode; message: string } | { type: 'replies'; replies: ModelReply[] };

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

export function noAnswer(error: string, latencyMs = 0): ModelAnswer {
  return { items: [], scores: [], latencyMs, error };
}
