import { exactKernelsOver, Layout, type NetworkKernels } from '../kernels/team.ts';

const alignmentFloats = 4;
const bytesPerFloat = 4;

/** The memory of one training: everything that the kernels work on is laid out in it once, before the first step, and used again in every step. */
export class Workspace {
  readonly #opened: { kernels: NetworkKernels; buffer: SharedArrayBuffer; from: number } | undefined;
  #used = 0;

  /** @throws UND-TRAINING-MEMORY where it takes more than there is */
  constructor(bytes?: number) {
    if (bytes === undefined) return;
    const layout = new Layout();
    const from = layout.reserve(bytes);
    const memory = layout.memory();
    this.#opened = { kernels: exactKernelsOver(memory), buffer: memory.buffer, from };
  }

  get usedBytes(): number {
    return this.#used;
  }

  get kernels(): NetworkKernels {
    if (this.#opened === undefined) throw new Error('A workspace that only measures has no kernels');
    return this.#opened.kernels;
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
export function inWorkspace<T>(build: (workspace: Workspace) => T): T {
  const measured = new Workspace();
  build(measured);
  return build(new Workspace(measured.usedBytes));
}

/** Where an element of an array in a workspace stands, for the kernels. */
export const at = (array: Float32Array, index = 0): number => array.byteOffset + index * bytesPerFloat;
