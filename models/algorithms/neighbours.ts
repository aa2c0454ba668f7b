import type { OnnxBuilder, Value } from '../graph/onnx-builder.ts';
import type { RecommendInputs } from '../graph/recommend-interface.ts';
import { giveWay } from './checkpoint.ts';
import { keepBest } from './rank.ts';
import type { SparseRows } from './sparse.ts';

/** Neighbour lists of all items, padded to one width: [itemCount + 1, width]; padding is item `itemCount` with similarity 0. */
export type Neighbours = { items: Int32Array; similarities: Float32Array; width: number };

export function emptyNeighbours(itemCount: number, width: number): Neighbours {
  return { items: new Int32Array((itemCount + 1) * width).fill(itemCount), similarities: new Float32Array((itemCount + 1) * width), width };
}

/** Work between two steps, in multiply-adds of the co-occurrence product. */
const workPerStep = 20_000_000;

type Finding = {
  byUser: SparseRows;
  byItem: SparseRows;
  /** The list of an item is written behind its first `kept` places, which stay as they are. */
  neighbours: Neighbours;
  kept: number;
  /** From the sum over users of the two items' values. */
  similarity: (item: number, other: number, product: number) => number;
  /** First item that has no list yet. */
  from: number;
};

/** Finds for each item the others that are most similar by what users have in common; ties to the lower index. */
export async function findNeighbours(
  { byUser, byItem, neighbours, kept, similarity, from }: Finding,
  onStep: (done: number) => Promise<void> | void,
): Promise<void> {
  const itemCount = byItem.rowCount;
  const products = new Float64Array(itemCount);
  const similarities = new Float32Array(itemCount);
  const touched = new Uint32Array(itemCount);
  let work = 0;
  for (let item = from; item < itemCount; item += 1) {
    let touchedCount = 0;
    for (let entry = byItem.indptr[item] as number; entry < (byItem.indptr[item + 1] as number); entry += 1) {
      const user = byItem.columns[entry] as number;
      const value = byItem.values[entry] as number;
      const end = byUser.indptr[user + 1] as number;
      for (let other = byUser.indptr[user] as number; other < end; other += 1) {
        const neighbour = byUser.columns[other] as number;
        if (products[neighbour] === 0) {
          touched[touchedCount] = neighbour;
          touchedCount += 1;
        }
        products[neighbour] = (products[neighbour] as number) + value * (byUser.values[other] as number);
        work += 1;
      }
    }
    const best = keepBest(neighbours.width - kept, (a, b) => {
      const difference = (similarities[a] as number) - (similarities[b] as number);
      return difference < 0 || (difference === 0 && a > b);
    });
    for (let position = 0; position < touchedCount; position += 1) {
      const neighbour = touched[position] as number;
      similarities[neighbour] = similarity(item, neighbour, products[neighbour] as number);
      products[neighbour] = 0;
      if (neighbour !== item) best.offer(neighbour);
    }
    for (const [place, neighbour] of best.bestFirst().entries()) {
      neighbours.items[item * neighbours.width + kept + place] = neighbour;
      neighbours.similarities[item * neighbours.width + kept + place] = similarities[neighbour] as number;
    }
    if (work < workPerStep && item + 1 < itemCount) continue;
    work = 0;
    await giveWay();
    await onStep(item + 1);
  }
}

/** scores[j] += sum over the history of weight(h) similarity(h, j). */
export function addNeighbours(scores: Float32Array, { items, similarities, width }: Neighbours, history: Iterable<{ item: number; weight: number }>): void {
  for (const { item, weight } of history) {
    for (let place = item * width; place < (item + 1) * width; place += 1) {
      const neighbour = items[place] as number;
      scores[neighbour] = (scores[neighbour] as number) + Math.fround((similarities[place] as number) * weight);
    }
  }
}

/** int64 or int32 [m] and float32 [m]: what the history adds to which items. */
export type Near = { items: Value; weighted: Value };
type Graph = { graph: OnnxBuilder; inputs: RecommendInputs; neighbours: Neighbours };

/** The same as nodes. @param scores float32 [itemCount + 1] */
export function addNeighboursNodes({ scores, ...of }: Graph & { scores: Value }): Value {
  return addNearNodes(of.graph, scores, nearNodes(of));
}

export function nearNodes({ graph, inputs, neighbours }: Graph): Near {
  const { items, similarities, width } = neighbours;
  const shape = [items.length / width, width];
  const flat = graph.int64(-1);
  const nearItems = graph.node('Gather', [graph.constant(items, shape, 'neighbour_items'), inputs.history]);
  const nearSimilarities = graph.node('Gather', [graph.constant(similarities, shape, 'neighbour_similarities'), inputs.history]);
  const weighted = graph.node('Mul', [nearSimilarities, graph.node('Unsqueeze', [inputs.historyWeight, graph.int64(1)])]);
  return { items: graph.node('Reshape', [nearItems, flat]), weighted: graph.node('Reshape', [weighted, flat]) };
}

/** @param scores float32 [itemCount + 1] */
export function addNearNodes(graph: OnnxBuilder, scores: Value, { items, weighted }: Near): Value {
  return graph.node('ScatterElements', [scores, items, weighted], { axis: { int: 0 }, reduction: { string: 'add' } });
}
