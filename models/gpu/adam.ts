import type { AdamRates } from '../neural/adam.ts';
import { cellsPerGroup } from './code.ts';
import type { Dispatch, GpuArray } from './gpu.ts';
import { groupNumber, groupsOf } from './least-squares.ts';
import type { GpuNetwork, GpuParameter, GpuTable } from './network.ts';

/** Cells of a parameter; or rows of a table, of which `rows` says how many and how wide, then which ones. */
const code = (ofTable: boolean): string => `
@group(0) @binding(0) var<storage, read> rates: array<f32>;
@group(0) @binding(1) var<storage, read> grad: array<f32>;
@group(0) @binding(2) var<storage, read_write> value: array<f32>;
@group(0) @binding(3) var<storage, read_write> first: array<f32>;
@group(0) @binding(4) var<storage, read_write> second: array<f32>;
${ofTable ? '@group(0) @binding(5) var<storage, read> rows: array<u32>;' : ''}
@compute @workgroup_size(${cellsPerGroup})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let place = (${groupNumber('id')}) * ${cellsPerGroup}u + t;
  ${
    ofTable
      ? 'let width = rows[1];\n  if (place >= rows[0] * width) { return; }\n  let cell = rows[2u + place / width] * width + place % width;'
      : 'if (place >= arrayLength(&value)) { return; }\n  let cell = place;'
  }
  let g = grad[place];
  let m = rates[0] * first[cell] + (1f - rates[0]) * g;
  let v = rates[1] * second[cell] + (1f - rates[1]) * g * g;
  first[cell] = m;
  second[cell] = v;
  value[cell] -= rates[2] * m / (sqrt(v * rates[3]) + rates[4]);
}
`;

export type MomentArrays = { first: GpuArray; second: GpuArray };
type Changed = { parameter: GpuParameter | GpuTable; moments: MomentArrays };

/** models/neural/adam.ts on a GPU: of a table, only the rows that a step touched are changed. */
export class GpuAdam {
  readonly #network: GpuNetwork;
  readonly #rates: GpuArray;
  readonly #dispatches: (() => Dispatch)[];

  constructor({ network, state }: { network: GpuNetwork; state: readonly Changed[] }) {
    this.#network = network;
    this.#rates = network.array(5);
    this.#dispatches = state.map((one) => this.#of(one));
  }

  change({ decays, rate, root, epsilon }: AdamRates): void {
    this.#network.gpu.write(this.#rates, Float32Array.of(...decays, rate, root, epsilon));
    this.#network.gpu.run(this.#dispatches.map((of) => of()));
  }

  #of({ parameter, moments: { first, second } }: Changed): () => Dispatch {
    const { gpu } = this.#network;
    const { on, columns } = parameter;
    const arrays = [this.#rates, on.grad, on.value, first, second];
    const groupsFor = (cells: number) => groupsOf(Math.ceil(cells / cellsPerGroup));
    if (!('touched' in parameter) || parameter.touched.whole) {
      const kernel = gpu.kernel(code(false), arrays);
      return () => ({ kernel, groups: groupsFor(on.value.length) });
    }
    const { touched } = parameter;
    const rows = this.#network.array(2 + touched.rows.length);
    const kernel = gpu.kernel(code(true), [...arrays, rows]);
    return () => {
      gpu.write(rows, Uint32Array.of(touched.count, columns));
      gpu.write(rows, touched.rows.subarray(0, touched.count), 2);
      return { kernel, groups: groupsFor(touched.count * columns) };
    };
  }
}
