import { type ModelAnswer, type ModelQuestion, noAnswer, type Question } from './model-messages.ts';
import type { ModelPool } from './model-pool.ts';

/** The loaded models of one deployment generation. Whoever uses it holds a retain; the last release lets go of the models. */
export type ModelHost = {
  pool(artifact: string): ModelPool | undefined;
  /** What the visitor waits for. Never rejects: where the model crashed, is late or is not there, the answer carries an `error`. */
  ask(question: Question): Promise<ModelAnswer>;
  /** What the visitor does not wait for, or not for long. Never rejects. */
  askExtra(question: ModelQuestion, options: { needed: boolean }): ExtraAnswer;
  /** Threads of the artifact that can answer now. */
  readyThreads(artifact: string): number;
  /** Has it been so slow lately that slates do not wait for it where they need not? */
  isTooSlow(artifact: string): boolean;
  /** Ends all threads in the middle of their work, as a crash would: for drills. They are started again. */
  crash(): void;
  retain(): void;
  release(): void;
  /** Resolves when the threads of all its models have ended. */
  readonly closed: Promise<void>;
};

/** `soon` comes within the time that a slate may wait for an extra, with an error where the model is slower; `whole` within its deadline. */
export type ExtraAnswer = { soon: Promise<ModelAnswer>; whole: Promise<ModelAnswer> };

/** So many late in a row, and slates stop waiting for this artifact; after the pause one of them tries again. */
const lateAtMost = 5;
const pauseMs = 1_000;
/** More than this waiting, and an extra is not even asked: its memory must not grow with a model that does not answer. */
const extrasWaitingAtMost = 1_000;

type Breaker = { late: number; openUntilMs: number };

/** @param pools as many retains are taken over, one of each. */
export function createModelHost({ pools, extraWaitMs }: { pools: readonly ModelPool[]; extraWaitMs: number }): ModelHost {
  const byArtifact = new Map(pools.map((pool) => [pool.artifact, pool]));
  const breakers = new Map<string, Breaker>(pools.map(({ artifact }) => [artifact, { late: 0, openUntilMs: 0 }]));
  let holders = 1;

  async function inTime(whole: Promise<ModelAnswer>, breaker: Breaker): Promise<ModelAnswer> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, extraWaitMs, undefined);
    });
    const answer = await Promise.race([whole, late]);
    clearTimeout(timer);
    if (answer !== undefined) {
      breaker.late = 0;
      return answer;
    }
    breaker.late += 1;
    if (breaker.late >= lateAtMost) breaker.openUntilMs = performance.now() + pauseMs;
    return noAnswer(`left out: no answer within ${extraWaitMs} ms`);
  }

  return {
    pool: (artifact) => byArtifact.get(artifact),

    ask: (question) => byArtifact.get(question.artifact)?.ask(question) ?? Promise.resolve(noAnswer('not loaded')),

    askExtra(question, { needed }) {
      const pool = byArtifact.get(question.artifact);
      const breaker = breakers.get(question.artifact);
      const leftOut = (why: string): ExtraAnswer => {
        const answer = Promise.resolve(noAnswer(`left out: ${why}`));
        return { soon: answer, whole: answer };
      };
      if (pool === undefined || breaker === undefined) return leftOut('not loaded');
      if (pool.waiting() >= extrasWaitingAtMost) return leftOut('too many wait for this model');
      const isOpen = performance.now() < breaker.openUntilMs;
      if (isOpen && !needed) return leftOut('this model was too slow lately');
      const whole = pool.ask(question);
      return { whole, soon: isOpen ? Promise.resolve(noAnswer('left out: this model was too slow lately')) : inTime(whole, breaker) };
    },

    readyThreads: (artifact) => byArtifact.get(artifact)?.readyThreads() ?? 0,
    isTooSlow: (artifact) => performance.now() < (breakers.get(artifact)?.openUntilMs ?? 0),
    crash() {
      for (const pool of pools) pool.crash();
    },
    retain() {
      holders += 1;
    },
    release() {
      holders -= 1;
      if (holders > 0) return;
      for (const pool of pools) pool.release();
    },
    closed: Promise.all(pools.map(({ closed }) => closed)).then(() => undefined),
  };
}
