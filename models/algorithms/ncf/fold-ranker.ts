import type { OnnxBuilder, Value } from '../../graph/onnx-builder.ts';
import { TrainedLayers } from '../../neural/trained-layers.ts';
import { giveWay } from '../checkpoint.ts';
import { roundUp, type ItemSource } from './item-inputs.ts';
import { pairWidth } from './pair-features.ts';
import type { RankerNetwork } from './ranker-network.ts';

/**
 * A trained ranker as it serves: of its first layer, each item keeps its part of the sum, and nothing else of what it was read from.
 */
export type Ranker = {
  /** Of the first layer. */
  width: number;
  queryWidth: number;
  /** [itemCount + 1, width] */
  itemTerms: Float32Array;
  /** [queryWidth, width] */
  queryWeight: Float32Array;
  /** [pairWidth, width] */
  pairWeight: Float32Array;
  /** [width] */
  bias: Float32Array;
  /** Behind the first. */
  layers: { weight: Float32Array; bias: Float32Array }[];
  /** Unit of scores. */
  spread: number;
  /** Numbers that training found. */
  parameters: number;
};

type Fold = {
  network: RankerNetwork;
  /** Of the first stage that serves. */
  source: ItemSource;
  /** [width, width] from its basis to that of the first stage that the ranker was trained with */
  rotation: Float64Array;
  itemCount: number;
  queryScale: number;
  spread: number;
};

const itemsPerTurn = 1024;

/** Into what the ranker makes of another first stage's items and queries, once these are turned. */
export async function foldRanker({ network, source, rotation, itemCount, queryScale, spread }: Fold): Promise<Ranker> {
  const layers = new TrainedLayers(network.parameters);
  const width = layers.valueOf('user.bias').length;
  const { items } = network;
  const queryWidth = source.width;
  const itemWeight = turned(layers.valueOf('item.weight'), { rotation, queryWidth, width });
  const itemTerms = new Float32Array((itemCount + 1) * width);
  const row = new Float64Array(items.width);
  const sum = new Float64Array(width);
  for (let item = 0; item < itemCount; item += 1) {
    items.read(item, source, row, 0);
    sum.fill(0);
    for (let f = 0; f < row.length; f += 1) {
      const value = row[f] as number;
      if (value === 0) continue;
      for (let column = 0, cell = f * width; column < width; column += 1, cell += 1)
        sum[column] = (sum[column] as number) + value * (itemWeight[cell] as number);
    }
    itemTerms.set(sum, item * width);
    if (item % itemsPerTurn === 0) await giveWay();
  }
  const queryWeight = turned(layers.valueOf('user.weight'), { rotation, queryWidth, width }).subarray(0, queryWidth * width);
  const [userBias, itemBias, pairBias] = ['user', 'item', 'pair'].map((name) => layers.valueOf(`${name}.bias`)) as [Float32Array, Float32Array, Float32Array];
  const behind = [...new Set(network.parameters.map(({ name }) => name.slice(0, name.lastIndexOf('.'))))].filter((name) => /^(layer|out)/.test(name));
  return {
    ...{ width, queryWidth, itemTerms, spread },
    queryWeight: Float32Array.from(queryWeight, (value) => value / queryScale),
    pairWeight: layers.valueOf('pair.weight'),
    bias: userBias.map((value, column) => value + (itemBias[column] as number) + (pairBias[column] as number)),
    layers: behind.map((name) => ({ weight: layers.valueOf(`${name}.weight`), bias: layers.valueOf(`${name}.bias`) })),
    parameters: [...network.parameters, ...network.tables].reduce((total, { value }) => total + value.length, 0),
  };
}

/** The rows of a weight that vectors of the first stage are multiplied with, for vectors in another basis; the others as they are. */
function turned(weight: Float32Array, { rotation, queryWidth, width }: { rotation: Float64Array; queryWidth: number; width: number }): Float64Array {
  const out = Float64Array.from(weight);
  out.fill(0, 0, roundUp(queryWidth) * width);
  for (let i = 0; i < queryWidth; i += 1)
    for (let k = 0; k < queryWidth; k += 1) {
      const share = rotation[i * queryWidth + k] as number;
      for (let column = 0; column < width; column += 1)
        out[i * width + column] = (out[i * width + column] as number) + share * (weight[k * width + column] as number);
    }
  return out;
}

/** The ranker's word of one candidate. @param user [width] `userTerm` of its request @param pair [pairWidth] */
export function wordOf(
  { width, itemTerms, pairWeight, layers }: Ranker,
  { user, item, pair }: { user: Float64Array; item: number; pair: Float64Array },
): number {
  let stream: Float64Array = Float64Array.from(user, (value, column) => {
    let sum = value + (itemTerms[item * width + column] as number);
    for (let f = 0; f < pairWidth; f += 1) sum += (pair[f] as number) * (pairWeight[f * width + column] as number);
    return Math.max(0, sum);
  });
  for (const [index, { weight, bias }] of layers.entries()) {
    const isLast = index === layers.length - 1;
    const columns = isLast ? 1 : bias.length;
    const next = new Float64Array(columns);
    for (let column = 0; column < columns; column += 1) {
      let sum = bias[column] as number;
      for (let f = 0; f < stream.length; f += 1) sum += (stream[f] as number) * (weight[f * bias.length + column] as number);
      next[column] = isLast ? sum : Math.max(0, sum);
    }
    stream = next;
  }
  return stream[0] as number;
}

/** [width] what all candidates of a request have in common */
export function userTerm({ width, queryWidth, queryWeight, bias }: Ranker, query: ArrayLike<number>): Float64Array {
  const sum = Float64Array.from(bias);
  for (let f = 0; f < queryWidth; f += 1)
    for (let column = 0; column < width; column += 1)
      sum[column] = (sum[column] as number) + (query[f] as number) * (queryWeight[f * width + column] as number);
  return sum;
}

/** The words of all candidates as nodes. @param query [queryWidth, 1] @param items int64 [candidates] @param pairs [candidates, pairWidth] @returns [candidates] */
export function wordNodes(graph: OnnxBuilder, ranker: Ranker, { query, items, pairs }: { query: Value; items: Value; pairs: Value }): Value {
  const { width, queryWidth, itemTerms, queryWeight, pairWeight, bias, layers } = ranker;
  const add = (a: Value, b: Value): Value => graph.node('Add', [a, b]);
  const times = (a: Value, b: Value): Value => graph.node('MatMul', [a, b]);
  const row = graph.node('Reshape', [query, graph.constant([1, queryWidth], [2])]);
  const user = add(times(row, graph.constant(queryWeight, [queryWidth, width], 'ranker_user')), graph.constant(bias, [width], 'ranker_bias'));
  const ofItems = graph.node('Gather', [graph.constant(itemTerms, [itemTerms.length / width, width], 'ranker_items'), items]);
  const ofPairs = times(pairs, graph.constant(pairWeight, [pairWidth, width], 'ranker_pairs'));
  let stream = graph.node('Relu', [add(add(ofItems, ofPairs), user)]);
  for (const [index, { weight, bias: own }] of layers.entries()) {
    const inner = weight.length / own.length;
    const isLast = index === layers.length - 1;
    const columns = isLast ? 1 : own.length;
    const kept = weight.filter((_, cell) => cell % own.length < columns);
    const out = add(times(stream, graph.constant(kept, [inner, columns], `ranker_layer_${index}`)), graph.constant(own.slice(0, columns), [columns]));
    stream = isLast ? out : graph.node('Relu', [out]);
  }
  return graph.node('Reshape', [stream, graph.int64(-1)]);
}
