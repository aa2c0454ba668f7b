import { Worker } from 'node:worker_threads';
import { type Job, type JobName, jobs } from './softmax-jobs.ts';
import { kernelsOver, type NetworkKernels, type Setup, setupOf } from './team.ts';

/*
 * Jobs whose rows can be done by themselves, in a network that is trained: several threads take the next few rows until none is left. The bits are those of one
 * thread. The caller is one of them; it waits for what another has begun, never for one that has not come. There are too many jobs in a step for messages, so
 * the threads speak by the memory they share.
 */

/** Words of 4 bytes. `ticket`: which job (16 bits), pieces there are (8), the next one that nobody has taken (8). */
const words = { ticket: 0, done: 1, failed: 2, job: 16 } as const;
/** Behind `job`: name, rows of a piece, rows of all, and the job's own arguments. */
const argumentsFrom = 3;
const controlBytes = 256;
const mostPieces = 255;
const piecesAThread = 4;
/** How often a thread looks for work before it sleeps: some microseconds. */
const looks = 4_000;

export type TogetherSetup = Setup & { control: SharedArrayBuffer };
type Control = Int32Array<SharedArrayBuffer>;

const piecesOf = (ticket: number): number => (ticket >>> 8) & 255;
const nextOf = (ticket: number): number => ticket & 255;

/** Takes the next piece of the job at hand and does it. @returns false where none is left */
function doPiece(kernels: NetworkKernels, control: Control): boolean {
  const ticket = Atomics.load(control, words.ticket);
  if (nextOf(ticket) >= piecesOf(ticket)) return false;
  if (Atomics.compareExchange(control, words.ticket, ticket, ticket + 1) !== ticket) return true;
  // Whoever has taken a piece keeps the job from ending, so that what is read now is of this one.
  const word = (place: number): number => (control[words.job + place] as number) >>> 0;
  const size = word(1);
  const from = nextOf(ticket) * size;
  (jobs[Object.keys(jobs)[word(0)] as JobName] as Job)(kernels, { from, to: Math.min(from + size, word(2)), of: (place) => word(argumentsFrom + place) });
  Atomics.add(control, words.done, 1);
  Atomics.notify(control, words.done);
  return true;
}

/** What a thread does until it is ended. */
export function serve({ module, memory, control: shared }: TogetherSetup): void {
  const kernels = kernelsOver({ module, memory });
  const control = new Int32Array(shared);
  try {
    for (let idle = 0; ; idle += 1) {
      const ticket = Atomics.load(control, words.ticket);
      if (doPiece(kernels, control)) idle = 0;
      if (idle < looks) continue;
      Atomics.wait(control, words.ticket, ticket);
      idle = 0;
    }
  } catch (error) {
    Atomics.store(control, words.failed, 1);
    throw error;
  }
}

export class Together {
  readonly kernels: NetworkKernels;
  readonly #control: Control = new Int32Array(new SharedArrayBuffer(controlBytes));
  readonly #workers: Worker[];
  #count = 0;

  /**
   * @param threads the caller's among them
   * @param fused products and sums in one rounding where the hardware can: other bits there
   */
  constructor({ memory, threads, fused = false }: { memory: WebAssembly.Memory; threads: number; fused?: boolean }) {
    const setup = setupOf(memory, { fused });
    const workerData: TogetherSetup = { ...setup, control: this.#control.buffer };
    this.kernels = kernelsOver(setup);
    this.#workers = Array.from({ length: threads - 1 }, () => {
      const worker = new Worker(new URL('./together-worker.ts', import.meta.url), { workerData, name: 'training' });
      // What is closed too late keeps no process alive.
      worker.unref();
      return worker;
    });
  }

  /** @param own whole numbers below 2^32 */
  run(name: JobName, { rows, own }: { rows: number; own: readonly number[] }): void {
    const control = this.#control;
    const threads = this.#workers.length + 1;
    // A thread that comes late, or is held up, leaves the other pieces to those that are there. A kernel takes four rows at a time.
    const wanted = threads === 1 ? 1 : piecesAThread * threads;
    const size = Math.ceil(Math.max(rows / wanted, rows / mostPieces) / 4) * 4;
    const pieces = Math.ceil(rows / size);
    control.set([Object.keys(jobs).indexOf(name), size, rows, ...own.map((value) => value | 0)], words.job);
    this.#count = (this.#count + 1) & 0x7fff;
    Atomics.store(control, words.done, 0);
    Atomics.store(control, words.ticket, (this.#count << 16) | (pieces << 8));
    Atomics.notify(control, words.ticket);
    while (doPiece(this.kernels, control));
    for (let waits = 0; ; waits += 1) {
      const done = Atomics.load(control, words.done);
      if (done === pieces) return;
      if (Atomics.load(control, words.failed) !== 0) throw new Error('A thread of the training failed');
      if (waits > looks) Atomics.wait(control, words.done, done, 10);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
