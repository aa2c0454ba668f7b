import type { AdamRates } from '../neural/adam.ts';
import { cellsPerGroup } from './code.ts';
import type { Dispatch, GpuArray } from './gpu.ts';
import { groupNumber, groupsOf } from './least-squares.ts';
import type { GpuNetwork, GpuParameter } from './network.ts';

const code = `
@group(0) @binding(0) var<storage, read> rates: array<f32>;
@group(0) @binding(1) var<storage, read> grad: array<f32>;
@group(0) @binding(2) var<storage, read_write> value: array<f32>;
@group(0) @binding(3) var<storage, read_write> first: array<f32>;
@group(0) @binding(4) var<storage, read_write> second: array<f32>;
@compute @workgroup_size(${cellsPerGroup})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let cell = (${groupNumber('id')}) * ${cellsPerGroup}u + t;
  if (cell >= arrayLength(&value)) { return; }
  let g = grad[cell];
  let m = rates[0] * first[cell] + (1f - rates[0]) * g;
  let v = rates[1] * second[cell] + (1f - rates[1]) * g * g;
  first[cell] = m;
  second[cell] = v;
  value[cell] -= rates[2] * m / (sqrt(v * rates[3]) + rates[4]);
}
`;

export type MomentArrays = { first: GpuArray; second: GpuArray };

/** models/neural/adam.ts on a GPU. */
export class GpuAdam {
  readonly #network: GpuNetwork;
  readonly #rates: GpuArray;
  readonly #dispatches: Dispatch[];

  constructor({ network, state }: { network: GpuNetwork; state: readonly { parameter: GpuParameter; moments: MomentArrays }[] }) {
    this.#network = network;
    this.#rates = network.array(5);
    this.#dispatches = state.map(({ parameter: { on }, moments }) => ({
      kernel: network.gpu.kernel(code, [this.#rates, on.grad, on.value, moments.first, moments.second]),
      groups: groupsOf(Math.ceil(on.value.length / cellsPerGroup)),
    }));
  }

  change({ decays, rate, root, epsilon }: AdamRates): void {
    this.#network.gpu.write(this.#rates, Float32Array.of(...decays, rate, root, epsilon));
    this.#network.gpu.run(this.#dispatches);
  }
}
