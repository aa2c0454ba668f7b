import type { OnnxBuilder, Value } from '../../graph/onnx-builder.ts';
import { TrainedLayers } from '../../neural/trained-layers.ts';
import { giveWay } from '../checkpoint.ts';
import { pairWidth } from './pair-features.ts';
import { factsPerItem } from './item-facts.ts';
import type { RankerNetwork } from './ranker-network.ts';

/**
 * A trained ranker as it serves: of its first layer, each item keeps its part of the sum, and nothing else of what it was read from.
 */
export type Ranker = {
  /** Of the first layer. */
  width: number;
  /** [itemCount + 1, width] */
  itemTerms: Float32Array;
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

const itemsPerTurn = 1024;

/** @param facts [itemCount, factsPerItem] of now */
export async function foldRanker({ network, facts, spread }: { network: RankerNetwork; facts: Float32Array; spread: number }): Promise<Ranker> {
  const layers = new TrainedLayers(network.parameters);
  const width = layers.valueOf('item.bias').length;
  const { items } = network;
  const itemCount = facts.length / factsPerItem;
  const itemTerms = new Float32Array((itemCount + 1) * width);
  const row = new Float64Array(items.width);
  for (let item = 0; item < itemCount; item += 1) {
    items.read({ item, facts, withOwn: true }, row, 0);
    itemTerms.set(layers.linear(row, 'item'), item * width);
    if (item % itemsPerTurn === 0) await giveWay();
  }
  const behind = [...new Set(network.parameters.map(({ name }) => name.slice(0, name.lastIndexOf('.'))))].filter((name) => /^(layer|out)/.test(name));
  return {
    ...{ width, itemTerms, spread },
    pairWeight: layers.valueOf('pair.weight'),
    bias: layers.valueOf('pair.bias'),
    layers: behind.map((name) => ({ weight: layers.valueOf(`${name}.weight`), bias: layers.valueOf(`${name}.bias`) })),
    parameters: [...network.parameters, ...network.tables].reduce((total, { value }) => total + value.length, 0),
  };
}

/** The ranker's word of one candidate, in double precision. @param pair [pairWidth] */
export function wordOf({ width, itemTerms, pairWeight, bias: first, layers }: Ranker, item: number, pair: Float64Array): number {
  let stream: Float64Array = Float64Array.from(first, (value, column) => {
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

/** The words of all candidates as nodes. @param items int64 [candidates] @param pairs [candidates, pairWidth] @returns [candidates] */
export function wordNodes(graph: OnnxBuilder, ranker: Ranker, { items, pairs }: { items: Value; pairs: Value }): Value {
  const { width, itemTerms, pairWeight, bias, layers } = ranker;
  const add = (a: Value, b: Value): Value => graph.node('Add', [a, b]);
  const times = (a: Value, b: Value): Value => graph.node('MatMul', [a, b]);
  const ofItems = graph.node('Gather', [graph.constant(itemTerms, [itemTerms.length / width, width], 'ranker_items'), items]);
  const ofPairs = times(pairs, graph.constant(pairWeight, [pairWidth, width], 'ranker_pairs'));
  let stream = graph.node('Relu', [add(add(ofItems, ofPairs), graph.constant(bias, [width], 'ranker_bias'))]);
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
