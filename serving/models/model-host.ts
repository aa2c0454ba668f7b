import { Worker } from 'node:worker_threads';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import {
  type FromWorker,
  type HostedArtifact,
  type ModelAnswer,
  type ModelCall,
  type ModelQuestion,
  noAnswer,
  nowMs,
  type ToWorker,
} from './model-messages.ts';

/** The loaded models of one deployment generation, in threads of their own. Whoever uses it holds a retain; the last release ends the threads. */
export type ModelHost = {
  /**
   * Never rejects: where the model crashed, is late or is not there, each answer carries an `error`.
   * @param questions the first is what the visitor waits for, the others are extras.
   */
  ask(questions: readonly ModelQuestion[]): Promise<ModelAnswer[]>;
  /** Threads that can answer now. */
  readyThreads(): number;
  /** Ends all threads in the middle of their work, as a crash would: for drills. They are started again. */
  crash(): void;
  retain(): void;
  release(): void;
  /** Resolves when all threads have ended. */
  readonly closed: Promise<void>;
};

export type HostEvent = { type: 'crashed' | 'restarted' | 'hung'; why: string };
type HostOptions = {
  artifacts: readonly HostedArtifact[];
  threads: number;
  deadlineMs: number;
  onEvent?: (event: HostEvent) => void;
  /** Longest a thread may take to load everything. */
  loadTimeoutMs?: number;
};

type Pending = { resolve: (answers: ModelAnswer[]) => void; questions: number; timer: NodeJS.Timeout };
type Thread = { worker: Worker; ready: boolean; pending: Map<number, Pending>; outbox: ModelCall[]; unanswered: number; waitingSinceMs: number };

/** A thread with work that says nothing for this long is taken for hung. */
const hungAfterMs = 3_000;
const restartDelaysMs = [0, 100, 500, 2_000, 5_000];

/**
 * Starts the threads and resolves when each has loaded, warmed and parity-checked every artifact.
 * @throws UND-ARTIFACT or UND-PARITY of the thread that refused; UND-TIMEOUT.
 */
export async function openModelHost(options: HostOptions): Promise<ModelHost> {
  const { artifacts, threads: threadCount, deadlineMs, onEvent, loadTimeoutMs = 60_000 } = options;
  const threads: (Thread | undefined)[] = Array.from({ length: threadCount }, () => undefined);
  let nextId = 1;
  let holders = 1;
  let closing = false;
  let failures = 0;
  let whenClosed: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    whenClosed = resolve;
  });

  function start(slot: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./model-worker.ts', import.meta.url), { workerData: artifacts, name: 'model' });
      const thread: Thread = { worker, ready: false, pending: new Map(), outbox: [], unanswered: 0, waitingSinceMs: 0 };
      threads[slot] = thread;
      const timer = setTimeout(() => refuse(new UnderstudyError('UND-TIMEOUT', `The models were not loaded within ${loadTimeoutMs} ms`)), loadTimeoutMs);
      let settled = false;
      const refuse = (error: UnderstudyError): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        reject(error);
        void worker.terminate();
      };
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'replies') return receive(thread, message.replies);
        if (message.type === 'refused') return refuse(new UnderstudyError(message.code, message.message));
        settled = true;
        clearTimeout(timer);
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
        for (const id of [...thread.pending.keys()]) settle(thread, id, undefined, 'the model crashed');
        if (threads[slot] === thread) threads[slot] = undefined;
        refuse(new UnderstudyError('UND-ARTIFACT', `The model thread ended while loading: ${why}`));
        if (closing) {
          if (threads.every((one) => one === undefined)) whenClosed();
        } else if (wasReady) {
          onEvent?.({ type: 'crashed', why });
          restart(slot);
        }
      });
    });
  }

  function restart(slot: number): void {
    const delay = restartDelaysMs[Math.min(failures, restartDelaysMs.length - 1)] as number;
    failures += 1;
    setTimeout(() => {
      if (closing || threads[slot] !== undefined) return;
      start(slot).then(
        () => onEvent?.({ type: 'restarted', why: `attempt ${failures}` }),
        () => !closing && restart(slot),
      );
    }, delay).unref();
  }

  function receive(thread: Thread, replies: readonly { id: number; answers: ModelAnswer[] }[]): void {
    thread.unanswered -= replies.length;
    thread.waitingSinceMs = nowMs();
    failures = 0;
    for (const reply of replies) settle(thread, reply.id, reply.answers);
  }

  function settle(thread: Thread, id: number, answers: ModelAnswer[] | undefined, error = ''): void {
    const pending = thread.pending.get(id);
    if (pending === undefined) return;
    thread.pending.delete(id);
    clearTimeout(pending.timer);
    pending.resolve(answers ?? Array.from({ length: pending.questions }, () => noAnswer(error, deadlineMs)));
  }

  function expire(thread: Thread, id: number): void {
    settle(thread, id, undefined, `no answer within ${deadlineMs} ms`);
    if (!thread.ready || thread.unanswered === 0 || nowMs() - thread.waitingSinceMs < hungAfterMs) return;
    thread.ready = false;
    onEvent?.({ type: 'hung', why: `no reply for ${hungAfterMs} ms` });
    const slot = threads.indexOf(thread);
    void thread.worker.terminate().then(() => !closing && threads[slot] === undefined && restart(slot));
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
    setImmediate(() => {
      const calls = thread.outbox;
      thread.outbox = [];
      thread.worker.postMessage({ type: 'calls', calls } satisfies ToWorker);
    });
  }

  function end(): void {
    closing = true;
    const running = threads.filter((thread) => thread !== undefined);
    if (running.length === 0) whenClosed();
    for (const { worker, ready } of running) {
      // A thread that works is asked to end by itself; one that does not answer is ended.
      if (ready) worker.postMessage({ type: 'close' } satisfies ToWorker);
      const timer = setTimeout(() => void worker.terminate(), ready ? hungAfterMs : 0).unref();
      worker.once('exit', () => clearTimeout(timer));
    }
  }

  try {
    await Promise.all(threads.map((_, slot) => start(slot)));
  } catch (error) {
    end();
    throw error;
  }

  return {
    ask(questions) {
      const thread = quietest();
      if (thread === undefined) return Promise.resolve(questions.map(() => noAnswer('the model is not there')));
      if (thread.unanswered === 0) thread.waitingSinceMs = nowMs();
      thread.unanswered += 1;
      return new Promise((resolve) => {
        const id = nextId;
        nextId += 1;
        thread.pending.set(id, { resolve, questions: questions.length, timer: setTimeout(expire, deadlineMs, thread, id) });
        post(thread, { id, expiresAtMs: nowMs() + deadlineMs, questions: [...questions] });
      });
    },
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
