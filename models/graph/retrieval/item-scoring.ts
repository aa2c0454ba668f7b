import type { OnnxBuilder, Value } from '../onnx-builder.ts';
import type { RecommendInputs } from '../recommend-interface.ts';
import type { ItemTable } from './item-table.ts';

/** What a model that scores by a product of vectors says of itself; how its best items are found is the way's affair. */
export type ItemScoring = {
  graph: OnnxBuilder;
  inputs: RecommendInputs;
  itemCount: number;
  table: ItemTable;
  /** float32 [width, 1] */
  query: Value;
  /** From products [m] of some rows to their scores [m], by nodes; it may be asked several times, for other rows. */
  scoresOf(products: Value, rows: Rows): Value;
  /**
   * Whether what the products leave out of a score tells nothing but items of about the same product apart. Where it may lift any item, cells of like
   * vectors say too little about where the best are.
   */
  productsDecide: boolean;
};

/** Which rows are asked for: all [itemCount + 1], or those with the indexes [m]. */
export type Rows = {
  all: boolean;
  /** float32 [m] of a number [itemCount + 1] for each item. The name is the constant's in the graph. */
  column(name: string, numbers: Float32Array): Value;
  /** float32 [m] of a value [itemCount + 1]. */
  of(value: Value): Value;
};

export type RowsOf = (indexes?: Value) => Rows;

/** Makes columns stand once in a graph, however often they are asked for. */
export function rowsOf(graph: OnnxBuilder): RowsOf {
  const columns = new Map<string, Value>();
  return (indexes) => {
    const of = (value: Value): Value => (indexes === undefined ? value : graph.node('Gather', [value, indexes]));
    return {
      all: indexes === undefined,
      of,
      column(name, numbers) {
        const known = columns.get(name) ?? graph.constant(numbers, [numbers.length], name);
        columns.set(name, known);
        return of(known);
      },
    };
  };
}

/** float32 [itemCount + 1]. @param whole of the table */
export function scoresOfAll({ graph, query, scoresOf }: ItemScoring, rows: RowsOf, whole: Value): Value {
  return scoresOf(graph.node('Reshape', [graph.node('MatMul', [whole, query]), graph.int64(-1)]), rows());
}

/** float32 [m]. @param indexes int64 or int32 [m] */
export function scoresOfSome({ graph, table, query, scoresOf }: ItemScoring, rows: RowsOf, indexes: Value): Value {
  const products = graph.node('MatMul', [table.rows(indexes), query]);
  return scoresOf(graph.node('Reshape', [products, graph.int64(-1)]), rows(indexes));
}

/** Rising, and where each stood: in this order, of equal scores the lower index comes first. @param items int64 [size] */
export function byIndex(graph: OnnxBuilder, items: Value, size: Value): { indexes: Value; places: Value } {
  const [indexes, places] = graph.nodes('TopK', [items, size], 2, { axis: { int: 0 }, largest: { int: 0 }, sorted: { int: 1 } }) as [Value, Value];
  return { indexes, places };
}
