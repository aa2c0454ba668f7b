import { sum, type TrainedLayers } from '../../neural/trained-layers.ts';
import { OnnxBuilder, type Value } from '../../graph/onnx-builder.ts';
import { declareInputs, type RecommendInputs } from '../../graph/recommend-interface.ts';
import { declareRetrieval } from '../../graph/retrieval/declare-retrieval.ts';
import { type ItemTable, type ItemVectors, itemTable, roundVectors } from '../../graph/retrieval/item-table.ts';
import type { Model, ScoreRequest } from '../algorithm.ts';
import { rankScores, recentHistory } from '../rank.ts';
import type { Shape } from './transformer.ts';

export type Trained = {
  shape: Shape;
  itemCount: number;
  maxHistory: number;
  /** [itemCount + 1, width]; the last row begins every history. */
  items: Float32Array;
  codes?: ItemVectors['codes'];
  /** By the names of transformer.ts. */
  layers: TrainedLayers;
  /** [itemCount + 1] */
  prior: Float32Array;
};

/** Recommends by what follows the last place of the history: score = item . output there + popularity prior. */
export function sasrecModel(trained: Trained): Model {
  const { shape, itemCount, maxHistory, items, codes, prior } = trained;
  const queryOf = (request: ScoreRequest) => lastOutput(trained, [itemCount, ...recentHistory({ request, maxHistory, itemCount }).map(({ item }) => item)]);
  const declareItems: NonNullable<Model['declareItems']> = (graph, inputs) => {
    const table = itemTable(graph, { vectors: items, width: shape.width, codes, name: 'item_vectors' });
    const out = lastOutputGraph({ graph, inputs, table, trained });
    return {
      ...{ graph, inputs, itemCount, table, productsDecide: true },
      query: graph.node('Reshape', [out, graph.constant([shape.width, 1], [2])]),
      scoresOf: (products, rows) => graph.node('Add', [products, rows.column('item_prior', prior)]),
    };
  };
  return {
    maxHistory,
    declareItems,
    rounded() {
      const { vectors, codes } = roundVectors({ vectors: items, width: shape.width });
      return sasrecModel({ ...trained, items: vectors, codes });
    },
    products: () => ({ width: shape.width, vectors: items, queryOf }),
    recommend(request) {
      const out = queryOf(request);
      const scores = new Float32Array(itemCount);
      for (let item = 0; item < itemCount; item += 1) {
        let sum = 0;
        for (let f = 0; f < shape.width; f += 1) sum += (items[item * shape.width + f] as number) * (out[f] as number);
        scores[item] = Math.fround(sum) + (prior[item] as number);
      }
      return rankScores({ scores, itemCount, request });
    },
    exportGraph({ retrieval } = {}) {
      const graph = new OnnxBuilder({ name: 'sasrec' });
      declareRetrieval(declareItems(graph, declareInputs(graph, itemCount)), retrieval);
      return graph.build();
    },
  };
}

/** What comes out at the last place of a sequence, in double precision. Of the last block nothing else is asked. */
function lastOutput(trained: Trained, sequence: readonly number[]): Float64Array {
  const { items, shape, layers } = trained;
  const { width, blocks } = shape;
  const positions = layers.valueOf('positions');
  const scale = Math.sqrt(width);
  let stream: Float64Array[] = sequence.map((item, place) =>
    Float64Array.from({ length: width }, (_, f) => scale * (items[item * width + f] as number) + (positions[place * width + f] as number)),
  );
  for (let block = 0; block < blocks; block += 1) {
    const name = `block ${block}`;
    const normal = stream.map((row) => layers.normalized(row, `${name}.before attention`));
    const projected = normal.map((row) => layers.linear(row, `${name}.attention`));
    const from = block === blocks - 1 ? stream.length - 1 : 0;
    stream = stream.slice(from).map((row, place) => {
      const attended = sum(row, layers.linear(attention(projected.slice(0, from + place + 1), shape), `${name}.attended`));
      const inner = layers.linear(layers.normalized(attended, `${name}.before inner`), `${name}.inner`).map((value) => Math.max(0, value));
      return sum(attended, layers.linear(inner, `${name}.outer`));
    });
  }
  return layers.normalized(stream.at(-1) as Float64Array, 'last');
}

/** Of the last of some rows to all of them; each row is queries, keys and values. */
function attention(rows: readonly Float64Array[], { width, heads }: Shape): Float64Array {
  const query = rows.at(-1) as Float64Array;
  const headWidth = width / heads;
  const out = new Float64Array(width);
  for (let head = 0; head < heads; head += 1) {
    const first = head * headWidth;
    const scores = rows.map((row) => {
      let product = 0;
      for (let f = first; f < first + headWidth; f += 1) product += (query[f] as number) * (row[width + f] as number);
      return product / Math.sqrt(headWidth);
    });
    const largest = Math.max(...scores);
    const shares = scores.map((score) => Math.exp(score - largest));
    const total = shares.reduce((all, share) => all + share, 0);
    for (const [place, row] of rows.entries())
      for (let f = first; f < first + headWidth; f += 1) out[f] = (out[f] as number) + ((shares[place] as number) / total) * (row[2 * width + f] as number);
  }
  return out;
}

/** As `lastOutput`, as a graph. @returns [1, width] */
function lastOutputGraph({ graph, inputs, table, trained }: { graph: OnnxBuilder; inputs: RecommendInputs; table: ItemTable; trained: Trained }): Value {
  const { itemCount, maxHistory, shape, layers } = trained;
  const { width, heads, blocks } = shape;
  const headWidth = width / heads;
  const project = (from: Value, name: string): Value => layers.linearNode(graph, from, name);
  const normalize = (from: Value, name: string): Value => layers.normalizedNode(graph, from, name);
  const rowsOf = (from: Value, start: number, end: Value): Value => graph.node('Slice', [from, graph.int64(start), end, graph.int64(0)]);
  const toTheEnd = graph.constant([2 ** 31 - 1], [1]);
  const byHead = (from: Value): Value =>
    graph.node('Transpose', [graph.node('Reshape', [from, graph.constant([-1, heads, headWidth], [3])])], { perm: { ints: [1, 0, 2] } });

  const known = graph.node('Less', [inputs.history, graph.int64(itemCount)]);
  const kept = graph.node('Compress', [inputs.history, known], { axis: { int: 0 } });
  const sequence = graph.node('Concat', [graph.int64(itemCount), kept], { axis: { int: 0 } });
  const scaled = graph.node('Mul', [table.rows(sequence), graph.float32(Math.fround(Math.sqrt(width)))]);
  const positions = rowsOf(layers.constant(graph, 'positions', [maxHistory + 1, width]), 0, graph.node('Shape', [sequence]));
  let stream = graph.node('Add', [scaled, positions]);
  for (let block = 0; block < blocks; block += 1) {
    const name = `block ${block}`;
    const last = block === blocks - 1;
    const projected = project(normalize(stream, `${name}.before attention`), `${name}.attention`);
    const [queries, keys, values] = graph.nodes('Split', [projected, graph.constant([width, width, width], [3])], 3, { axis: { int: 1 } }) as [
      ...[Value, Value, Value],
    ];
    // Of the last block only the last row is asked, which sees all others.
    const asked = last ? rowsOf(queries, -1, toTheEnd) : queries;
    const turned = graph.node('Transpose', [byHead(keys)], { perm: { ints: [0, 2, 1] } });
    const products = graph.node('Div', [graph.node('MatMul', [byHead(asked), turned]), graph.float32(Math.fround(Math.sqrt(headWidth)))]);
    const masked = (): Value => {
      const later = graph.node('Expand', [graph.float32(-1e30), graph.node('Shape', [products])]);
      return graph.node('Add', [products, graph.node('Trilu', [later, graph.constant([1], [])], { upper: { int: 1 } })]);
    };
    const shares = graph.node('Softmax', [last ? products : masked()], { axis: { int: -1 } });
    const mixed = graph.node('Transpose', [graph.node('MatMul', [shares, byHead(values)])], { perm: { ints: [1, 0, 2] } });
    const attended = project(graph.node('Reshape', [mixed, graph.constant([-1, width], [2])]), `${name}.attended`);
    const between = graph.node('Add', [last ? rowsOf(stream, -1, toTheEnd) : stream, attended]);
    const inner = graph.node('Relu', [project(normalize(between, `${name}.before inner`), `${name}.inner`)]);
    stream = graph.node('Add', [between, project(inner, `${name}.outer`)]);
  }
  return normalize(stream, 'last');
}
