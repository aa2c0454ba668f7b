import type { OnnxBuilder, Value } from '../../graph/onnx-builder.ts';
import type { Layers } from '../../neural/layers.ts';
import { sum, type TrainedLayers } from '../../neural/trained-layers.ts';

/**
 * A user's vector from means of the history x, the one more recent than the other: normalized A x + B relu(C x), so that it begins as something close to
 * what the history is like. At each row from what stands before it and at it. Written once for wherever it is computed.
 */
export function userTower<F extends { readonly width: number }>(layers: Layers<F>, { means, width, hidden }: { means: F; width: number; hidden: number }): F {
  const { linear, layerNorm, relu, addDropped } = layers;
  const read = addDropped({ branch: layerNorm({ from: means, name: 'means' }) });
  const direct = linear({ from: read, width, name: 'direct' });
  const inner = relu(linear({ from: read, width: hidden, name: 'inner' }));
  const out = addDropped({ base: direct, branch: linear({ from: inner, width, name: 'outer' }) });
  return layerNorm({ from: out, name: 'user' });
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
