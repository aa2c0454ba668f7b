import type { GpuArray } from './gpu.ts';
import { groupNumber, groupsOf } from './least-squares.ts';
import type { GpuNetwork, Work } from './network.ts';

/** A group for each thing: adds up, in their order, the rows that belong to it. */
const gatherCode = (weighted: boolean): string => `
@group(0) @binding(0) var<storage, read> shape: array<u32>;
@group(0) @binding(1) var<storage, read> groups: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> rows: array<f32>;
@group(0) @binding(4) var<storage, read_write> into: array<f32>;
${weighted ? '@group(0) @binding(5) var<storage, read> weights: array<f32>;' : ''}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let group = ${groupNumber('id')};
  if (group >= groups[0]) { return; }
  let width = shape[0];
  let begin = groups[1u + 2u * group];
  let end = groups[3u + 2u * group];
  let thing = groups[2u + 2u * group];
  for (var f = t; f < width; f += 64u) {
    var sum = 0f;
    for (var one = begin; one < end; one++) { sum += ${weighted ? 'weights[one] * ' : ''}rows[order[one] * width + f]; }
    into[thing * width + f] += bitcast<f32>(shape[1]) * sum;
  }
}
`;

export const bitsOf = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;

type Options = {
  network: GpuNetwork;
  from: GpuArray;
  into: GpuArray;
  width: number;
  /** Of a step, at most. */
  mostEntries: number;
  /** [things] 0, each time it is done with; several may share one */
  counts: Int32Array;
  scale?: number;
  /** Each entry has a weight of its own. */
  weighted?: boolean;
};

/**
 * into [thing] += scale sum of weight from [row], over the entries (row, thing, weight) of a step. What belongs to a thing is added up one after the other, and
 * never by two threads at once, so that it comes out the same each time.
 */
export class GpuGather {
  readonly work: Work;
  readonly #network: GpuNetwork;
  readonly #arrays: { groups: GpuArray; order: GpuArray; weights: GpuArray | undefined };
  /** How many entries a thing has; then where the next one goes. */
  readonly #counts: Int32Array;
  readonly #found: Int32Array;
  #groups = 0;

  constructor({ network, from, into, width, mostEntries, counts, scale = 1, weighted = false }: Options) {
    this.#network = network;
    const most = Math.min(mostEntries, counts.length);
    const groups = network.array(2 * most + 2);
    const order = network.array(mostEntries);
    const weights = weighted ? network.array(mostEntries) : undefined;
    this.#arrays = { groups, order, weights };
    this.#counts = counts;
    this.#found = new Int32Array(most);
    const arrays = [network.shape(width, bitsOf(scale)), groups, order, from, into, ...(weights === undefined ? [] : [weights])];
    this.work = { kernel: network.gpu.kernel(gatherCode(weighted), arrays), groups: () => groupsOf(this.#groups) };
  }

  /**
   * Of the step at hand.
   * @param things of each entry; -1: it belongs to none
   * @param rows of each entry; absent: the entry's own number
   * @param weights of each entry, where they have any
   */
  place(things: Int32Array, { rows, weights }: { rows?: Uint32Array; weights?: Float32Array } = {}): void {
    const [counts, found] = [this.#counts, this.#found];
    let groups = 0;
    for (const thing of things) {
      if (thing < 0) continue;
      if (counts[thing] === 0) found[groups++] = thing;
      counts[thing] = (counts[thing] as number) + 1;
    }
    // How many there are; then of each where its entries begin, and its number; and in the end where all end.
    const described = new Uint32Array(2 * groups + 2);
    described[0] = groups;
    let begin = 0;
    for (let group = 0; group < groups; group += 1) {
      const thing = found[group] as number;
      described.set([begin, thing], 1 + 2 * group);
      begin += counts[thing] as number;
      counts[thing] = begin - (counts[thing] as number);
    }
    described[2 * groups + 1] = begin;
    const order = new Uint32Array(begin);
    const weighs = new Float32Array(weights === undefined ? 0 : begin);
    for (const [entry, thing] of things.entries()) {
      if (thing < 0) continue;
      const at = counts[thing] as number;
      counts[thing] = at + 1;
      order[at] = rows?.[entry] ?? entry;
      if (weights !== undefined) weighs[at] = weights[entry] as number;
    }
    for (let group = 0; group < groups; group += 1) counts[found[group] as number] = 0;
    this.#groups = groups;
    const { gpu } = this.#network;
    gpu.write(this.#arrays.groups, described);
    gpu.write(this.#arrays.order, order);
    if (this.#arrays.weights !== undefined) gpu.write(this.#arrays.weights, weighs);
  }
}
