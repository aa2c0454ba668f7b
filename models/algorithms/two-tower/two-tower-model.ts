import { OnnxBuilder, type Value } from '../../graph/onnx-builder.ts';
import { declareInputs, type RecommendInputs } from '../../graph/recommend-interface.ts';
import { declareRetrieval } from '../../graph/retrieval/declare-retrieval.ts';
import { type ItemTable, type ItemVectors, itemTable, roundVectors } from '../../graph/retrieval/item-table.ts';
import type { TrainedLayers } from '../../neural/trained-layers.ts';
import type { Model, ScoreRequest } from '../algorithm.ts';
import { rankScores, recentHistory } from '../rank.ts';
import { userNode, userVector } from './user-tower.ts';

export type Trained = {
  width: number;
  itemCount: number;
  maxHistory: number;
  decays: readonly number[];
  /** [itemCount + 1, width], 0 where nothing is known of an item; the last row begins every history. */
  vectors: Float32Array;
  codes?: ItemVectors['codes'];
  /** [itemCount] 1 where something is known */
  known: Uint8Array;
  /** Of user-tower.ts. */
  layers: TrainedLayers;
  /** [itemCount + 1] */
  prior: Float32Array;
};

/** Keeps 0 / 0 out where nothing of a history weighs anything. */
const smallest = 1e-30;

/**
 * Recommends by score(j) = user . item j + popularity prior(j). Entries of which nothing is known have no say. As an item such a one scores lowest: as far
 * below 0 as twice what a product can be.
 */
export function twoTowerModel(trained: Trained): Model {
  const { width, itemCount, maxHistory, decays, vectors, codes, known, layers, prior } = trained;
  const absence = absenceOf(trained);
  const queryOf = (request: ScoreRequest): Float64Array => {
    const history = recentHistory({ request, maxHistory, itemCount }).filter(({ item }) => known[item] === 1);
    const entries = [{ item: itemCount, weight: 1 }, ...history];
    const means = new Float64Array(decays.length * width);
    for (const [index, decay] of decays.entries()) means.set(meanOf(trained, entries, powersOf(decay, maxHistory)), index * width);
    return userVector(layers, means);
  };
  const declareItems: NonNullable<Model['declareItems']> = (graph, inputs) => {
    const table = itemTable(graph, { vectors, width, codes, name: 'item_vectors' });
    const user = userNode(graph, layers, meansNode({ graph, inputs, items: table, trained }));
    return {
      ...{ graph, inputs, itemCount, table, productsDecide: true },
      query: graph.node('Reshape', [user, graph.constant([width, 1], [2])]),
      scoresOf: (products, rows) => graph.node('Add', [graph.node('Sub', [products, rows.column('item_absence', absence)]), rows.column('item_prior', prior)]),
    };
  };
  return {
    maxHistory,
    declareItems,
    rounded: () => twoTowerModel({ ...trained, ...roundVectors({ vectors, width }) }),
    products: () => ({ width, vectors, queryOf }),
    embeddings: () => ({ dimensions: width, measure: 'dot', vectors: vectors.slice(0, itemCount * width) }),
    recommend(request) {
      const user = queryOf(request);
      const scores = new Float32Array(itemCount);
      for (let item = 0; item < itemCount; item += 1) {
        let product = 0;
        for (let f = 0; f < width; f += 1) product += (vectors[item * width + f] as number) * (user[f] as number);
        scores[item] = Math.fround(product - (absence[item] as number)) + (prior[item] as number);
      }
      return rankScores({ scores, itemCount, request });
    },
    exportGraph({ retrieval } = {}) {
      const graph = new OnnxBuilder({ name: 'two-tower' });
      declareRetrieval(declareItems(graph, declareInputs(graph, itemCount)), retrieval);
      return graph.build();
    },
  };
}

/** [maxHistory + 1] what an entry counts by its place from the end of the longest history, the last 1 */
const powersOf = (decay: number, maxHistory: number): Float32Array =>
  Float32Array.from({ length: maxHistory + 1 }, (_, place) => decay ** (maxHistory - place));

function meanOf({ vectors, width }: Trained, entries: readonly { item: number; weight: number }[], powers: Float32Array): Float64Array {
  const sums = new Float64Array(width);
  let total = 0;
  for (const [place, { item, weight }] of entries.entries()) {
    const counts = weight * (powers[powers.length - entries.length + place] as number);
    total += counts;
    for (let f = 0; f < width; f += 1) sums[f] = (sums[f] as number) + counts * (vectors[item * width + f] as number);
  }
  return sums.map((value) => value / Math.max(total, smallest));
}

/** @returns [1, means of all decays beside each other] */
function meansNode({ graph, inputs, items, trained }: { graph: OnnxBuilder; inputs: RecommendInputs; items: ItemTable; trained: Trained }): Value {
  const { decays, maxHistory, itemCount, known, width } = trained;
  const one = graph.int64(1);
  const flags = graph.constant(Float32Array.from([...known, 0]), [itemCount + 1], 'item_known');
  const keeps = graph.node('Greater', [graph.node('Gather', [flags, inputs.history]), graph.float32(0)]);
  const kept = (values: Value): Value => graph.node('Compress', [values, keeps], { axis: { int: 0 } });
  const entries = graph.node('Concat', [graph.int64(itemCount), kept(inputs.history)], { axis: { int: 0 } });
  const startWeight = graph.constant(Float32Array.of(1), [1]);
  const weights = graph.node('Concat', [startWeight, kept(inputs.historyWeight)], { axis: { int: 0 } });
  const powers = graph.constant(Float32Array.from(decays.flatMap((decay) => [...powersOf(decay, maxHistory)])), [decays.length, maxHistory + 1], 'decays');
  const from = graph.node('Sub', [graph.int64(maxHistory + 1), graph.node('Shape', [entries])]);
  const counts = graph.node('Mul', [graph.node('Slice', [powers, from, graph.int64(maxHistory + 1), one]), weights]);
  const totals = graph.node('ReduceSum', [counts, one], { keepdims: { int: 1 } });
  const sums = graph.node('MatMul', [counts, items.rows(entries)]);
  const means = graph.node('Div', [sums, graph.node('Max', [totals, graph.float32(smallest)])]);
  return graph.node('Reshape', [means, graph.constant([1, decays.length * width], [2])]);
}

/** [itemCount + 1] 0 where something is known. A normalized row is no longer than the root of its cells, which its gain stretches and its bias moves. */
function absenceOf({ width, itemCount, vectors, known, layers }: Trained): Float32Array {
  let longest = 0;
  for (let item = 0; item < itemCount; item += 1) {
    let squares = 0;
    for (let f = item * width; f < (item + 1) * width; f += 1) squares += (vectors[f] as number) ** 2;
    longest = Math.max(longest, Math.sqrt(squares));
  }
  const gain = layers.valueOf('user.gain').reduce((most, one) => Math.max(most, Math.abs(one)), 0);
  const bias = Math.sqrt(layers.valueOf('user.bias').reduce((sum, one) => sum + one * one, 0));
  const furthest = 2 * longest * (gain * Math.sqrt(width) + bias);
  return Float32Array.from({ length: itemCount + 1 }, (_, item) => (known[item] === 0 ? furthest : 0));
}
