import { UnderstudyError } from '../contracts/problem.ts';
import { type Kernels, mostMemoryBytes, openKernels } from './kernels.ts';

const alignmentFloats = 4;
const bytesPerFloat = 4;

/** The memory of one training: everything that the kernels work on is laid out in it once, before the first step, and used again in every step. */
export class Workspace {
  readonly #opened: { kernels: Kernels; buffer: ArrayBuffer } | undefined;
  #used = 0;

  constructor(bytes?: number) {
    this.#opened = bytes === undefined ? undefined : openKernels(bytes);
  }

  get usedBytes(): number {
    return this.#used;
  }

  get kernels(): Kernels {
    if (this.#opened === undefined) throw new Error('A workspace that only measures has no kernels');
    return this.#opened.kernels;
  }

  /** All 0. While measuring, nothing. */
  floats(count: number): Float32Array {
    const from = this.#used;
    this.#used += Math.ceil(count / alignmentFloats) * alignmentFloats * bytesPerFloat;
    return this.#opened === undefined ? new Float32Array(0) : new Float32Array(this.#opened.buffer, from, count);
  }
}

/**
 * Calls `build` twice: to learn how much memory it asks for, then with the memory.
 * @throws UND-INPUT where that is more than 32 bits can address
 */
export function inWorkspace<T>(build: (workspace: Workspace) => T): T {
  const measured = new Workspace();
  build(measured);
  if (measured.usedBytes > mostMemoryBytes)
    throw new UnderstudyError(
      'UND-INPUT',
      `Training needs ${(measured.usedBytes / 2 ** 30).toFixed(1)} GiB of working memory, and 4 can be addressed: fewer dimensions, items or entries a batch need less`,
    );
  return build(new Workspace(Math.max(1, measured.usedBytes)));
}

/** Where an element of an array in a workspace stands, for the kernels. */
export const at = (array: Float32Array, index = 0): number => array.byteOffset + index * bytesPerFloat;
