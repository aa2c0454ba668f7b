import { type Eigen, eigenSolver } from '../kernels/eigen.ts';
import type { Dispatch, Gpu, GpuArray } from './gpu.ts';
import { groupNumber, groupsOf } from './least-squares.ts';

/** A Gram matrix is summed in so many parts at most, and these in double precision. */
const gramPartsAtMost = 64;
const rowsPerGramPart = 1024;
const tile = 16;
const sharedFloats = 4096;

const gramCode = (width: number): string => `
const width = ${width}u;
@group(0) @binding(0) var<storage, read> shape: array<u32>;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;
var<workgroup> left: array<f32, ${tile * tile}>;
var<workgroup> right: array<f32, ${tile * tile}>;
@compute @workgroup_size(${tile}, ${tile})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) at: vec3u) {
  let own = at.y * ${tile}u + at.x;
  let i = id.x * ${tile}u + at.y;
  let j = id.y * ${tile}u + at.x;
  let begin = id.z * shape[1];
  let end = min(shape[0], begin + shape[1]);
  var sum = 0f;
  for (var base = begin; base < end; base += ${tile}u) {
    let row = base + at.y;
    let a = id.x * ${tile}u + at.x;
    left[own] = select(0f, rows[min(row, end - 1u) * width + min(a, width - 1u)], row < end && a < width);
    right[own] = select(0f, rows[min(row, end - 1u) * width + min(j, width - 1u)], row < end && j < width);
    workgroupBarrier();
    var some = 0f;
    for (var k = 0u; k < ${tile}u; k++) { some += left[k * ${tile}u + at.y] * right[k * ${tile}u + at.x]; }
    sum += some;
    workgroupBarrier();
  }
  if (i < width && j < width) { parts[(id.z * width + i) * width + j] = sum; }
}
`;

const rotateCode = (width: number, rowsAtOnce: number): string => `
const width = ${width}u;
const count = ${rowsAtOnce}u;
@group(0) @binding(0) var<storage, read> shape: array<u32>;
@group(0) @binding(1) var<storage, read> matrix: array<f32>;
@group(0) @binding(2) var<storage, read_write> rows: array<f32>;
var<workgroup> before: array<f32, ${width * rowsAtOnce}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let first = (${groupNumber('id')}) * count * width;
  let end = min(shape[0] * width, first + count * width);
  for (var place = t; first + place < end; place += 64u) { before[place] = rows[first + place]; }
  workgroupBarrier();
  for (var column = t; column < width; column += 64u) {
    // Said in full: a driver was met that leaves what stood there in the round before.
    var sums = array<f32, count>();
    for (var f = 0u; f < width; f++) {
      let m = matrix[f * width + column];
      for (var r = 0u; r < count; r++) { sums[r] += before[r * width + f] * m; }
    }
    for (var r = 0u; r < count; r++) {
      let place = first + r * width + column;
      if (place < end) { rows[place] = sums[r]; }
    }
  }
}
`;

export type GpuRows = { array: GpuArray; rowCount: number };
const small = { what: 'A matrix of the vectors', fits: () => 'make them shorter' };

/** What models/kernels/basis.ts does with rows of one width, on a GPU; eigenvectors alone are found on the CPU. */
export class GpuBasis {
  readonly #gpu: Gpu;
  readonly #width: number;
  readonly #parts: GpuArray;
  readonly #matrix: GpuArray;
  readonly #eigen: (matrix: Float64Array) => Eigen | undefined;

  constructor({ gpu, width }: { gpu: Gpu; width: number }) {
    this.#gpu = gpu;
    this.#width = width;
    this.#parts = gpu.array(gramPartsAtMost * width * width, small);
    this.#matrix = gpu.array(width * width, small);
    this.#eigen = eigenSolver(width);
  }

  /** Of the sum of y y^T over the rows. Undefined where its numbers are none. */
  async eigenOfGram({ array, rowCount }: GpuRows): Promise<Eigen | undefined> {
    const square = this.#width ** 2;
    const partCount = Math.max(1, Math.min(gramPartsAtMost, Math.ceil(rowCount / rowsPerGramPart)));
    const shape = this.#gpu.arrayOf(Uint32Array.of(rowCount, Math.ceil(rowCount / partCount)), small);
    const tiles = Math.ceil(this.#width / tile);
    this.#gpu.run([{ kernel: this.#gpu.kernel(gramCode(this.#width), [shape, array, this.#parts]), groups: [tiles, tiles, partCount] }]);
    const parts = new Float32Array(square * partCount);
    await this.#gpu.read([{ from: this.#parts, into: parts }]);
    const gram = new Float64Array(square);
    for (let place = 0; place < parts.length; place += 1) gram[place % square] = (gram[place % square] as number) + (parts[place] as number);
    return this.#eigen(gram);
  }

  /** Rows times a matrix, in place, for each of the sets of rows. @param column float64 [width] of each column */
  rotate(sets: readonly GpuRows[], column: (k: number) => ArrayLike<number>): void {
    const width = this.#width;
    const matrix = new Float32Array(width * width);
    for (let k = 0; k < width; k += 1) {
      const numbers = column(k);
      for (let f = 0; f < width; f += 1) matrix[f * width + k] = numbers[f] as number;
    }
    this.#gpu.write(this.#matrix, matrix);
    const rowsAtOnce = Math.max(1, Math.min(8, Math.floor(sharedFloats / width)));
    const code = rotateCode(width, rowsAtOnce);
    const dispatches = sets.map(({ array, rowCount }): Dispatch => {
      const shape = this.#gpu.arrayOf(Uint32Array.of(rowCount), small);
      return { kernel: this.#gpu.kernel(code, [shape, this.#matrix, array]), groups: groupsOf(Math.ceil(rowCount / rowsAtOnce)) };
    });
    this.#gpu.run(dispatches);
  }
}
