import { Worker } from 'node:worker_threads';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import {
  type FromWorker,
  type HostedArtifact,
  type ModelAnswer,
  type ModelCall,
  type ModelReply,
  noAnswer,
  nowMs,
  type Question,
  type ToWorker,
} from './model-messages.ts';

/**
 * One artifact under one scope, in threads of its own: so that a slow one costs no other its answers, and generations that name it share it. Whoever
 * uses it holds a retain; the last release ends the threads.
 */
export type ModelPool = {
  readonly artifact: string;
  /** Of the scope that is built into its answers. */
  readonly scope: string;
  /** Never rejects: where the model crashed, is late or is not there, the answer carries an `error`. */
  ask(question: Question): Promise<ModelAnswer>;
  /** Questions that wait for an answer. */
  waiting(): number;
  /** Threads that can answer now. */
  readyThreads(): number;
  /** Ends all threads in the middle of their work, as a crash would: for drills. They are started again. */
  crash(): void;
  retain(): void;
  release(): void;
  /** Resolves when all threads have ended. */
  readonly closed: Promise<void>;
};

export type ModelEvent = { type: 'crashed' | 'restarted' | 'hung' | 'refused'; why: string };
export type PoolOptions = {
  artifact: HostedArtifact;
  scope: string;
  threads: number;
  deadlineMs: number;
  onEvent?: ((event: ModelEvent) => void) | undefined;
  /** Longest a thread may take to load. */
  loadTimeoutMs?: number;
  /** A thread with work that says nothing for this long is taken for hung. */
  hungAfterMs?: number;
  /** Gives the loading up: what was to be loaded is not wanted any more. */
  signal?: AbortSignal | undefined;
  /**
   * Takes in threads that are not wanted any more and still at work. None is ended from outside: the runtime takes the whole process down when its thread
   * is ended in the middle of native code. Whoever ends the process waits for them a while.
   */
  lingering?: Set<Promise<void>> | undefined;
  /** Waits before a dead thread is started again, by failures in a row. */
  restartDelaysMs?: readonly number[];
};

type Pending = { resolve: (answer: ModelAnswer) => void; timer: NodeJS.Timeout };
type Thread = {
  slot: number;
  worker: Worker;
  ready: boolean;
  abandoned: boolean;
  pending: Map<number, Pending>;
  outbox: ModelCall[];
  unanswered: number;
  waitingSinceMs: number;
};

const hungByDefaultMs = 3_000;
/** So many threads may hang before no more are started in their place. */
const hangingAtMost = 3;
const patientDelaysMs = [0, 100, 500, 2_000, 5_000];

/**
 * Starts the threads and resolves when each has loaded, warmed and parity-checked the artifact.
 * @throws UND-ARTIFACT or UND-PARITY of the thread that refused; UND-TIMEOUT, also where the loading was given up.
 */
export async function openModelPool(options: PoolOptions): Promise<ModelPool> {
  const {
    artifact,
    scope,
    threads: threadCount,
    deadlineMs,
    onEvent,
    loadTimeoutMs = 60_000,
    hungAfterMs = hungByDefaultMs,
    signal,
    lingering,
    restartDelaysMs = patientDelaysMs,
  } = options;
  const threads: (Thread | undefined)[] = Array.from({ length: threadCount }, () => undefined);
  /** In a row, by slot: one thread that cannot be started says nothing of the others. */
  const failures: number[] = threads.map(() => 0);
  let nextId = 1;
  let holders = 1;
  let closing = false;
  let opened = false;
  let hanging = 0;
  let whenClosed: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    whenClosed = resolve;
  });

  function start(slot: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./model-worker.ts', import.meta.url), { workerData: artifact, name: 'model' });
      const thread: Thread = { slot, worker, ready: false, abandoned: false, pending: new Map(), outbox: [], unanswered: 0, waitingSinceMs: 0 };
      threads[slot] = thread;
      const timer = setTimeout(() => refuse(new UnderstudyError('UND-TIMEOUT', `The model was not loaded within ${loadTimeoutMs} ms`), true), loadTimeoutMs);
      let settled = false;
      const refuse = (error: UnderstudyError, stillLoads = false): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        reject(error);
        if (stillLoads) abandon(thread);
        else worker.postMessage({ type: 'close' } satisfies ToWorker);
      };
      const giveUp = (): void => refuse(new UnderstudyError('UND-TIMEOUT', 'The loading was given up'), true);
      if (signal?.aborted) giveUp();
      else signal?.addEventListener('abort', giveUp);
      worker.on('message', (message: FromWorker) => {
        if (thread.abandoned) return;
        if (message.type === 'replies') return receive(thread, message.replies);
        if (message.type === 'refused') return refuse(new UnderstudyError(message.code, message.message));
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        thread.ready = true;
        resolve();
      });
      let why = 'the thread ended';
      worker.on('error', (error: Error) => {
        why = error.message;
      });
      worker.on('exit', () => {
        const wasReady = thread.ready;
        thread.ready = false;
        if (thread.abandoned) hanging -= 1;
        for (const id of [...thread.pending.keys()]) settle(thread, id, noAnswer('the model crashed', deadlineMs));
        if (threads[slot] === thread) threads[slot] = undefined;
        refuse(new UnderstudyError('UND-ARTIFACT', `The model thread ended while loading: ${why}`));
        if (closing) {
          if (threads.every((one) => one === undefined)) whenClosed();
        } else if ((opened || wasReady) && threads[slot] === undefined) {
          // The one place that starts again, whether the thread died at work, hung, or was refused: a slot that is empty is always waited for.
          if (wasReady) onEvent?.({ type: 'crashed', why });
          restart(slot);
        }
      });
    });
  }

  /** Nobody waits for it any more; it ends by itself once it is done with what it is at. */
  function abandon(thread: Thread): void {
    const { worker, slot } = thread;
    thread.ready = false;
    thread.abandoned = true;
    hanging += 1;
    for (const id of [...thread.pending.keys()]) settle(thread, id, noAnswer('the model does not answer', deadlineMs));
    if (threads[slot] === thread) threads[slot] = undefined;
    worker.postMessage({ type: 'close' } satisfies ToWorker);
    worker.unref();
    const ended = new Promise<void>((resolve) => worker.once('exit', resolve));
    lingering?.add(ended);
    void ended.then(() => lingering?.delete(ended));
    if (closing) {
      if (threads.every((one) => one === undefined)) whenClosed();
    } else if (opened && hanging <= hangingAtMost) restart(slot);
  }

  function restart(slot: number): void {
    const attempt = (failures[slot] ?? 0) + 1;
    failures[slot] = attempt;
    const delay = restartDelaysMs[Math.min(attempt, restartDelaysMs.length) - 1] ?? 0;
    setTimeout(() => {
      if (closing || threads[slot] !== undefined) return;
      start(slot).then(
        () => onEvent?.({ type: 'restarted', why: `attempt ${attempt}` }),
        (error) => !closing && onEvent?.({ type: 'refused', why: error.message }),
      );
    }, delay).unref();
  }

  function receive(thread: Thread, replies: readonly ModelReply[]): void {
    thread.unanswered -= replies.length;
    thread.waitingSinceMs = nowMs();
    failures[thread.slot] = 0;
    for (const reply of replies) settle(thread, reply.id, reply.answer);
  }

  function settle(thread: Thread, id: number, answer: ModelAnswer): void {
    const pending = thread.pending.get(id);
    if (pending === undefined) return;
    thread.pending.delete(id);
    clearTimeout(pending.timer);
    pending.resolve(answer);
  }

  function expire(thread: Thread, id: number): void {
    settle(thread, id, noAnswer(`no answer within ${deadlineMs} ms`, deadlineMs));
    if (!thread.ready || thread.unanswered === 0 || nowMs() - thread.waitingSinceMs < hungAfterMs) return;
    onEvent?.({ type: 'hung', why: `no reply for ${hungAfterMs} ms` });
    abandon(thread);
  }

  const quietest = (): Thread | undefined => {
    let best: Thread | undefined;
    for (const thread of threads) if (thread?.ready && (best === undefined || thread.pending.size < best.pending.size)) best = thread;
    return best;
  };

  /** Calls of one turn of the event loop travel in one message. */
  function post(thread: Thread, call: ModelCall): void {
    thread.outbox.push(call);
    if (thread.outbox.length > 1) return;
    setImmediate(flush, thread);
  }

  function flush(thread: Thread): void {
    const calls = thread.outbox;
    thread.outbox = [];
    if (calls.length > 0) thread.worker.postMessage({ type: 'calls', calls } satisfies ToWorker);
  }

  function end(): void {
    closing = true;
    const running = threads.filter((thread) => thread !== undefined);
    if (running.length === 0) whenClosed();
    for (const thread of running) {
      const { worker } = thread;
      // What was asked before is answered before.
      flush(thread);
      worker.postMessage({ type: 'close' } satisfies ToWorker);
      const timer = setTimeout(abandon, hungAfterMs, thread).unref();
      worker.once('exit', () => clearTimeout(timer));
    }
  }

  try {
    await Promise.all(threads.map((_, slot) => start(slot)));
    opened = true;
  } catch (error) {
    end();
    throw error;
  }

  return {
    artifact: artifact.digest,
    scope,
    ask(question) {
      const thread = quietest();
      if (thread === undefined) return Promise.resolve(noAnswer('the model is not there'));
      if (thread.unanswered === 0) thread.waitingSinceMs = nowMs();
      thread.unanswered += 1;
      return new Promise((resolve) => {
        const id = nextId;
        nextId += 1;
        thread.pending.set(id, { resolve, timer: setTimeout(expire, deadlineMs, thread, id) });
        post(thread, { id, expiresAtMs: nowMs() + deadlineMs, question });
      });
    },
    waiting: () => threads.reduce((sum, thread) => sum + (thread?.pending.size ?? 0), 0),
    readyThreads: () => threads.filter((thread) => thread?.ready).length,
    crash() {
      for (const thread of threads) thread?.worker.postMessage({ type: 'crash' } satisfies ToWorker);
    },
    retain() {
      holders += 1;
    },
    release() {
      holders -= 1;
      if (holders === 0) end();
    },
    closed,
  };
}
