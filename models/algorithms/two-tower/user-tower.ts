import type { Sequences } from '../../neural/attention.ts';
import { decayedMeans, type Entries } from '../../neural/decayed-means.ts';
import { addDropped, type DropoutMasks, type Flow, layerNorm, linear, type Network, relu } from '../../neural/network.ts';
import type { OnnxBuilder, Value } from '../../graph/onnx-builder.ts';
import { sum, type TrainedLayers } from '../../neural/trained-layers.ts';

type Options = { entries: Entries; sequences: Sequences; width: number; hidden: number; decays: readonly number[]; masks: DropoutMasks };

/**
 * A user's vector from means of the history x, the one more recent than the other: normalized A x + B relu(C x), so that it begins as something close to
 * what the history is like. At each row from what stands before it and at it.
 */
export function userTower(network: Network, { entries, sequences, width, hidden, decays, masks }: Options): Flow {
  const means = layerNorm(network, { from: decayedMeans(network, { entries, width, decays, sequences, name: 'start' }), name: 'means' });
  const read = addDropped(network, { branch: means, masks });
  const direct = linear(network, { from: read, width, name: 'direct' });
  const inner = relu(network, linear(network, { from: read, width: hidden, name: 'inner' }));
  const out = addDropped(network, { base: direct, branch: linear(network, { from: inner, width, name: 'outer' }), masks });
  return layerNorm(network, { from: out, name: 'user' });
}

/** The same of trained layers, in double precision. */
export function userVector(layers: TrainedLayers, means: Float64Array): Float64Array {
  const read = layers.normalized(means, 'means');
  const inner = layers.linear(read, 'inner').map((value) => Math.max(0, value));
  return layers.normalized(sum(layers.linear(read, 'direct'), layers.linear(inner, 'outer')), 'user');
}

/** The same as a graph, [1, means] to [1, width]. */
export function userNode(graph: OnnxBuilder, layers: TrainedLayers, means: Value): Value {
  const read = layers.normalizedNode(graph, means, 'means');
  const inner = graph.node('Relu', [layers.linearNode(graph, read, 'inner')]);
  const out = graph.node('Add', [layers.linearNode(graph, read, 'direct'), layers.linearNode(graph, inner, 'outer')]);
  return layers.normalizedNode(graph, out, 'user');
}
