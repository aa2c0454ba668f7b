import type { AdamRates } from '../neural/adam.ts';
import type { Elsewhere, Learned } from '../neural/train-network.ts';
import { GpuAdam } from './adam.ts';
import type { GpuNetwork } from './network.ts';

/** Weights and moments of a network's parameters, in the memory of a GPU. @param network whole: with all its parameters */
export function gpuWeights(network: GpuNetwork): Elsewhere {
  const { gpu, parameters } = network;
  const state = parameters.map((parameter) => ({
    parameter,
    moments: { first: network.array(parameter.on.value.length), second: network.array(parameter.on.value.length) },
  }));
  const adam = new GpuAdam({ network, state });
  const places = (learned: readonly Learned[]) =>
    state.map(({ parameter, moments }, place) => {
      const own = learned[place] as Learned;
      return {
        value: { from: parameter.on.value, into: own.value },
        first: { from: moments.first, into: own.moments.first },
        second: { from: moments.second, into: own.moments.second },
      };
    });
  return {
    load(learned) {
      for (const { value, first, second } of places(learned)) for (const { from, into } of [value, first, second]) gpu.write(from, into);
    },
    change: (rates: AdamRates) => adam.change(rates),
    async save(learned, { moments }) {
      await gpu.read(places(learned).flatMap(({ value, first, second }) => (moments ? [value, first, second] : [value])));
    },
  };
}
