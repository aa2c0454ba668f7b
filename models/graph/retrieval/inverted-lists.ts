import type { RetrievalWay, WayNamed } from '../../contracts/artifact.ts';
import { UnderstudyError } from '../../contracts/problem.ts';
import { elementCodes, type Value } from '../onnx-builder.ts';
import { type Answer, allowedScoreFloor, bestOf, disallowedScore } from '../recommend-interface.ts';
import { type Cells, cutIntoCells, cutIntoCellsStepwise } from './cells.ts';
import { bestOfEverything } from './best-of-everything.ts';
import { byIndex, type ItemScoring, type RowsOf, scoresOfSome } from './item-scoring.ts';
import type { ItemVectors } from './item-table.ts';

/**
 * The items of the cells whose means have the largest products with the query. Where these would say too little, the graph looks at all items, as the
 * plainest way does: where the query is 0, so that all cells are alike; where less than half of what stands in the cells is in scope; where that is not
 * enough for `count` besides what is excluded.
 * @throws UND-INPUT where it is not the products that decide the model's scores
 */
export function invertedLists(items: ItemScoring, rows: RowsOf, way: WayNamed<'inverted-lists'>): Answer {
  const { graph, inputs, itemCount, query } = items;
  const listed = itemsOfCells(items, way);
  const isItem = graph.node('Less', [listed, int32(items, itemCount)]);
  const bias = graph.node('Gather', [inputs.scopeBias, graph.node('Min', [listed, int32(items, itemCount - 1)])]);
  const allowed = graph.node('And', [isItem, graph.node('GreaterOrEqual', [bias, graph.float32(allowedScoreFloor)])]);

  const sizeOf = (mask: Value): Value =>
    graph.node('ReduceSum', [graph.node('Cast', [mask], { to: { int: elementCodes.int64 } }), graph.int64(0)], { keepdims: { int: 1 } });
  const needed = graph.node('Add', [inputs.count, graph.node('Shape', [inputs.exclude])]);
  const inScope = sizeOf(allowed);
  const isMostInScope = graph.node('GreaterOrEqual', [graph.node('Mul', [inScope, graph.int64(2)]), sizeOf(isItem)]);
  const isEnough = graph.node('And', [graph.node('GreaterOrEqual', [inScope, needed]), isMostInScope]);
  const length = graph.node('Reshape', [graph.node('ReduceSum', [graph.node('Abs', [query])], { keepdims: { int: 0 } }), graph.int64(1)]);
  const isSomething = graph.node('Greater', [length, graph.float32(0)]);

  const answer = ({ items: found, scores }: Answer) => [
    { value: found, type: 'int64', shape: ['count'] } as const,
    { value: scores, type: 'float32', shape: ['count'] } as const,
  ];
  const [found, scores] = graph.nodes('If', [graph.node('And', [isEnough, isSomething])], 2, {
    then_branch: graph.branch(() => answer(bestOfListed(items, rows, { listed, allowed, needed }))),
    else_branch: graph.branch(() => answer(bestOfEverything(items, rows))),
  }) as [Value, Value];
  return { items: found, scores };
}

const int32 = ({ graph }: ItemScoring, value: number): Value => graph.constant(Int32Array.of(value), []);

/** int32 [probes * cellItems], with padding in between. */
function itemsOfCells({ graph, itemCount, table: { vectors, width }, query, productsDecide }: ItemScoring, way: WayNamed<'inverted-lists'>): Value {
  if (!productsDecide) throw new UnderstudyError('UND-INPUT', 'Inverted lists are for models whose scores are products of vectors and little else');
  const cells = cellsOf(vectors, { width, rows: itemCount, cellItems: way.cellItems, padding: itemCount, seed: way.seed });
  const centroids = graph.constant(cells.centroids, [cells.count, width], 'cell_centroids');
  const members = graph.constant(cells.members, [cells.count, way.cellItems], 'cell_items');
  const products = graph.node('Reshape', [graph.node('MatMul', [centroids, query]), graph.int64(-1)]);
  const nearest = bestOf(graph, products, graph.int64(Math.min(way.probes, cells.count)));
  return graph.node('Reshape', [graph.node('Gather', [members, nearest.items]), graph.int64(-1)]);
}

type Cut = Omit<Parameters<typeof cutIntoCells>[0], 'vectors'>;
/** Of some vectors: whoever looks for the right number of probes asks for the same cells again and again. */
const lastCut = new WeakMap<Float32Array, { cut: Cut; cells: Cells }>();

function knownCells(vectors: Float32Array, cut: Cut): Cells | undefined {
  const last = lastCut.get(vectors);
  return last?.cut.cellItems === cut.cellItems && last.cut.seed === cut.seed ? last.cells : undefined;
}

function cellsOf(vectors: Float32Array, cut: Cut): Cells {
  const cells = knownCells(vectors, cut) ?? cutIntoCells({ vectors, ...cut });
  lastCut.set(vectors, { cut, cells });
  return cells;
}

/**
 * Cuts the cells of vectors ahead, so that the graph over the same array need not: of many items that takes longer than a process may be silent for.
 * @param onStep called between steps: the place for heartbeats
 */
export async function cutAhead(
  { vectors, width, itemCount, way }: Pick<ItemVectors, 'vectors' | 'width'> & { itemCount: number; way: RetrievalWay },
  onStep: () => Promise<void> | void,
): Promise<void> {
  if (way.way !== 'inverted-lists') return;
  const cut: Cut = { width, rows: itemCount, cellItems: way.cellItems, padding: itemCount, seed: way.seed };
  lastCut.set(vectors, { cut, cells: knownCells(vectors, cut) ?? (await cutIntoCellsStepwise({ vectors, ...cut }, onStep)) });
}

/** As many as are excluded come along, so that these need be looked for among the best alone. */
function bestOfListed(items: ItemScoring, rows: RowsOf, { listed, allowed, needed }: { listed: Value; allowed: Value; needed: Value }): Answer {
  const { graph, inputs } = items;
  const masked = graph.node('Where', [allowed, scoresOfSome(items, rows, listed), graph.float32(disallowedScore)]);
  const best = bestOf(graph, masked, needed);
  const unordered = graph.node('Cast', [graph.node('Gather', [listed, best.items])], { to: { int: elementCodes.int64 } });
  const { indexes, places } = byIndex(graph, unordered, needed);
  const isExcluded = graph.node('Equal', [graph.node('Unsqueeze', [indexes, graph.int64(1)]), graph.node('Unsqueeze', [inputs.exclude, graph.int64(0)])]);
  const times = graph.node('ReduceSum', [graph.node('Cast', [isExcluded], { to: { int: elementCodes.int32 } }), graph.int64(1)], { keepdims: { int: 0 } });
  const excluded = graph.node('Greater', [times, int32(items, 0)]);
  const scores = graph.node('Where', [excluded, graph.float32(disallowedScore), graph.node('Gather', [best.scores, places])]);
  const answer = bestOf(graph, scores, inputs.count);
  return { items: graph.node('Gather', [indexes, answer.items]), scores: answer.scores };
}
