import { Layout, type NetworkKernels } from '../kernels/team.ts';
import { Together } from '../kernels/together.ts';

const alignmentFloats = 4;
const bytesPerFloat = 4;

/** `threads` compute at once, to the same bits; with more than one, the workspace is to be closed. `fused`: products and sums in one rounding where the hardware can. */
type HowToCompute = { threads?: number; fused?: boolean };

/** The memory of one training: everything that the kernels work on is laid out in it once, before the first step, and used again in every step. */
export class Workspace {
  readonly #opened: { together: Together; buffer: SharedArrayBuffer; from: number } | undefined;
  #used = 0;

  /**
   * @param bytes absent: it only measures
   * @throws UND-TRAINING-MEMORY where it takes more than there is
   */
  constructor({ bytes, ...how }: { bytes?: number } & HowToCompute = {}) {
    if (bytes === undefined) return;
    const layout = new Layout();
    const from = layout.reserve(bytes);
    const memory = layout.memory();
    this.#opened = { together: new Together({ memory, threads: 1, ...how }), buffer: memory.buffer, from };
  }

  /** Ends its threads. */
  async close(): Promise<void> {
    await this.#opened?.together.close();
  }

  get usedBytes(): number {
    return this.#used;
  }

  get kernels(): NetworkKernels {
    return this.together.kernels;
  }

  /** Of several threads. */
  get together(): Together {
    if (this.#opened === undefined) throw new Error('A workspace that only measures has no kernels');
    return this.#opened.together;
  }

  /** All 0. While measuring, nothing. */
  floats(count: number): Float32Array {
    const from = this.#used;
    this.#used += Math.ceil(count / alignmentFloats) * alignmentFloats * bytesPerFloat;
    return this.#opened === undefined ? new Float32Array(0) : new Float32Array(this.#opened.buffer, this.#opened.from + from, count);
  }
}

/**
 * Calls `build` twice: to learn how much memory it asks for, then with the memory.
 * @throws UND-TRAINING-MEMORY where that is more than there is
 */
export function inWorkspace<T>(build: (workspace: Workspace) => T, how: HowToCompute = {}): T {
  const measured = new Workspace();
  build(measured);
  return build(new Workspace({ bytes: measured.usedBytes, ...how }));
}

/** Where an element of an array in a workspace stands, for the kernels. */
export const at = (array: Float32Array, index = 0): number => array.byteOffset + index * bytesPerFloat;
