import { exactSetup, kernelsOf, Layout } from './team.ts';

/** Eigenvalues, largest first, and the vector of each as a row. */
export type Eigen = { values: Float64Array; vectors: (k: number) => Float64Array };
export type EigenPlaces = Record<'gram' | 'values' | 'scratch', number>;
type Solver = { eigenSymmetric(matrix: number, n: number, values: number, scratch: number): number };

/** Of the symmetric matrix at `gram`, which is overwritten. Undefined where its numbers are none. */
export function eigenAt({ memory, kernels, at, width }: { memory: WebAssembly.Memory; kernels: Solver; at: EigenPlaces; width: number }): Eigen | undefined {
  const { gram, values, scratch } = at;
  if (kernels.eigenSymmetric(gram, width, values, scratch) !== 1) return undefined;
  const found = new Float64Array(memory.buffer, values, width);
  const rows = new Float64Array(memory.buffer, gram, width * width);
  const order = Array.from(found.keys()).sort((a, b) => (found[b] as number) - (found[a] as number) || a - b);
  if (!found.every(Number.isFinite)) return undefined;
  return {
    values: Float64Array.from(order, (k) => found[k] as number),
    vectors: (k) => rows.subarray((order[k] as number) * width, ((order[k] as number) + 1) * width),
  };
}

/** The same of matrices of one width that are made elsewhere. What it gives is good until it is called again. */
export function eigenSolver(width: number): (matrix: Float64Array) => Eigen | undefined {
  const layout = new Layout();
  const at = { values: layout.reserve(8 * width), gram: layout.reserve(8 * width * width), scratch: layout.reserve(8 * width * (width + 2)) };
  const memory = layout.memory();
  const kernels = kernelsOf(exactSetup(memory));
  return (matrix) => {
    new Float64Array(memory.buffer, at.gram, width * width).set(matrix);
    return eigenAt({ memory, kernels, at, width });
  };
}
