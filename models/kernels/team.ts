import { Worker } from 'node:worker_threads';
import { giveWay } from '../algorithms/checkpoint.ts';
import { UnderstudyError } from '../contracts/problem.ts';
import { exactKernels, fusedKernels } from './kernels.wasm.ts';

/** What the kernels share: addresses are bytes into `memory`. */
export type Setup = { module: WebAssembly.Module; memory: WebAssembly.Memory };
/** `kernel(from, to, part, scratch, ...args)` for each part, whose rows are `bounds[part] .. bounds[part + 1] - 1`. */
export type Task = { kernel: 'gramRows' | 'rotateRows' | 'solveRows' | 'filterRows' | 'addProducts'; bounds: readonly number[]; args: readonly number[] };
/** @param thread 0 is the one that asks */
export type TaskMessage = Task & { counter: number; scratch: number };

export type Kernels = Record<Task['kernel'], (from: number, to: number, part: number, scratch: number, ...args: number[]) => void> & {
  eigenSymmetric(matrix: number, n: number, values: number, scratch: number): number;
};

/** Distances between rows and steps are bytes; see assembly/network.ts. */
export type NetworkKernels = {
  /** C [m, n] (+)= A [m, k] B [k, n]; n is a multiple of 8. With `fresh` 1 C is written, with 0 added to. */
  matmul(a: number, aRow: number, aStep: number, b: number, bRow: number, c: number, cRow: number, m: number, n: number, k: number, fresh: number): void;
  /** `largest` [rows] becomes the larger of what stands there and the largest of the row. */
  rowMax(x: number, xRow: number, rows: number, columns: number, largest: number): void;
  /** x becomes exp(x - shift [row]); what a row then sums to is added to `sums` [row]. */
  rowExp(x: number, xRow: number, rows: number, columns: number, shift: number, sums: number): void;
  /** The last `missing` of a row's columns become -1e30. */
  hide(x: number, xRow: number, rows: number, columns: number, missing: number): void;
};

/** Below come the kernels' own constants. */
const firstByte = 65_536;
const largestBytes = 2 ** 32 - 65_536;

/** Places of arrays in a memory that is made when all are known. */
export class Layout {
  #bytes = firstByte;

  /** @returns the address */
  reserve(bytes: number): number {
    const address = this.#bytes;
    this.#bytes += Math.ceil(bytes / 64) * 64;
    return address;
  }

  /** @throws UND-TRAINING-MEMORY where it is more than 4 GiB, or than the machine gives */
  memory(): WebAssembly.Memory {
    const pages = Math.max(2, Math.ceil(this.#bytes / 65_536));
    const asked = `${(this.#bytes / 2 ** 30).toFixed(1)} GiB`;
    if (this.#bytes > largestBytes) throw new UnderstudyError('UND-TRAINING-MEMORY', `Training would take ${asked} of memory; 4 GiB is the most it can`);
    try {
      return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    } catch (cause) {
      throw new UnderstudyError('UND-TRAINING-MEMORY', `The machine does not give the ${asked} of memory that training takes`, { cause });
    }
  }
}

type TeamOptions = { threads: number; scratchBytes: number; fused: boolean };
/** Addresses: 4 bytes to count parts, and scratch of all threads. */
type TeamPlaces = { counter: number; scratch: number; scratchBytes: number };

/**
 * Threads that do a task's parts, each whichever is next. A part's result depends on its rows alone, so that it is the same for any number of threads. The
 * thread that asks is one of them; between parts it lets others have their turn.
 */
export class Team {
  readonly kernels: Kernels;
  readonly #memory: WebAssembly.Memory;
  readonly #workers: Worker[];
  readonly #at: TeamPlaces;

  /**
   * Places are reserved first and used when the memory is there.
   * @param scratchBytes of a thread
   * @param fused products and sums in one rounding where the hardware can: other bits there
   */
  static reserve(layout: Layout, { threads, scratchBytes, fused }: TeamOptions): (memory: WebAssembly.Memory) => Team {
    const at = { counter: layout.reserve(4), scratch: layout.reserve(threads * scratchBytes), scratchBytes };
    return (memory) => new Team({ memory, threads, at, fused });
  }

  private constructor({ memory, threads, at, fused }: { memory: WebAssembly.Memory; threads: number; at: TeamPlaces; fused: boolean }) {
    const module = compiled(fused);
    this.#memory = memory;
    this.#at = at;
    this.kernels = kernelsOf({ module, memory });
    this.#workers = Array.from({ length: threads - 1 }, () => {
      const workerData: Setup = { module, memory };
      return new Worker(new URL('./team-worker.ts', import.meta.url), { workerData, name: 'training' });
    });
  }

  async run(task: Task): Promise<void> {
    Atomics.store(new Int32Array(this.#memory.buffer, this.#at.counter, 1), 0, 0);
    const messageTo = (thread: number): TaskMessage => ({ ...task, counter: this.#at.counter, scratch: this.#at.scratch + thread * this.#at.scratchBytes });
    const others = Promise.all(
      this.#workers.map(
        (worker, index) =>
          new Promise<void>((resolve, reject) => {
            worker.once('message', () => {
              worker.removeAllListeners('error');
              resolve();
            });
            worker.once('error', reject);
            worker.postMessage(messageTo(index + 1));
          }),
      ),
    );
    // It is awaited below; one that fails before that is no surprise to the process.
    others.catch(() => undefined);
    const own = messageTo(0);
    while (nextPart(this.kernels, this.#memory, own)) await giveWay();
    await others;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

const modules = new Map<boolean, WebAssembly.Module>();
function compiled(fused: boolean): WebAssembly.Module {
  const module = modules.get(fused) ?? new WebAssembly.Module(Buffer.from(fused ? fusedKernels : exactKernels, 'base64'));
  modules.set(fused, module);
  return module;
}

/** Those that work alone, over a memory of the caller's. */
export const exactKernelsOver = (memory: WebAssembly.Memory): NetworkKernels => kernelsOver(exactSetup(memory));

/** For a thread over the same memory. */
export const exactSetup = (memory: WebAssembly.Memory): Setup => setupOf(memory, { fused: false });

/** @param fused products and sums in one rounding where the hardware can: other bits there */
export const setupOf = (memory: WebAssembly.Memory, { fused }: { fused: boolean }): Setup => ({ module: compiled(fused), memory });

export function kernelsOver({ module, memory }: Setup): NetworkKernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as NetworkKernels;
}

export function kernelsOf({ module, memory }: Setup): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Kernels;
}

/** Does the next part of a task that is left; false where none is. */
export function nextPart(kernels: Kernels, memory: WebAssembly.Memory, { kernel, bounds, args, counter, scratch }: TaskMessage): boolean {
  const part = Atomics.add(new Int32Array(memory.buffer, counter, 1), 0, 1);
  if (part >= bounds.length - 1) return false;
  kernels[kernel](bounds[part] as number, bounds[part + 1] as number, part, scratch, ...args);
  return true;
}
