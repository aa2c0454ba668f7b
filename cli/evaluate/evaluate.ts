import type { GraphBytes } from '../../models/graph/onnx-builder.ts';
import { graphSize } from '../../models/graph/graph-files.ts';
import { GroupedMeans } from '../../experiments/ranking/grouped-means.ts';
import { measureUser, metricNames } from '../../experiments/ranking/metrics.ts';
import type { Interactions } from '../../models/algorithms/algorithm.ts';
import { itemAttributes } from '../../models/algorithms/item-attributes.ts';
import { algorithmNamed, parseParams } from '../../models/algorithms/registry.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import { orderRows } from './order-rows.ts';
import { nextItemQueries, type Query, userQueries } from './queries.ts';
import type { InteractionRows } from './read-interactions.ts';

/** `users` are the lists that were made: one a user, or one for each next item. */
export type Evaluation = {
  model: string;
  users: number;
  metrics: Record<string, number>;
  /** 95 %, by bootstrap over the lists; coverage has none. */
  intervals: Record<string, Interval>;
  /** Where items are described: of lists of users who wanted items that training never saw, what is had of those alone. */
  coldItems?: Pick<Evaluation, 'users' | 'metrics' | 'intervals'>;
  trainSeconds: number;
  /** Of the exported graph. */
  graphBytes: number;
};

export type EvaluateInput = {
  train: InteractionRows;
  /** What came between training and test: in the histories, not trained on. */
  validation?: InteractionRows | undefined;
  test: InteractionRows;
  /** What is known of items: models that can learn from it, and items of it that training never saw can be found. */
  items?: readonly CatalogItem[] | undefined;
  /** What is wanted: all that a user has in the test, or for each of its rows but the first that one. */
  asks: 'rest' | 'next-item';
  model: string;
  params: unknown;
  cutoffs: readonly number[];
  seed: number;
  /** Of training; the result is the same for any number. */
  threads: number;
  /** Monotonic, milliseconds. */
  nowMs: () => number;
  report: (line: string) => void;
};

/**
 * Trains on one set and ranks the full catalog (all items of the training set) for every user of the other, through the exported graph.
 *
 * Items a user has in the training set are neither recommended to nor wanted by that user. Users without training rows are scored with an
 * empty history. Test items that training never saw stay wanted, out of reach but for those that `items` describes. Users who want nothing new are left out. Where the next item is asked
 * for, a user of the test is a session of its own.
 * @throws UND-INPUT for an unknown model or parameters with mistakes; UND-NO-DATA when nothing can be trained or scored.
 */
export async function evaluate(input: EvaluateInput): Promise<Evaluation> {
  const { train, validation, test, report } = input;
  const algorithm = algorithmNamed(input.model);
  const params = parseParams(algorithm, input.params);
  if (train.users.length === 0) throw new UnderstudyError('UND-NO-DATA', 'The training file has no rows');

  const { items } = input;
  const { interactions, vocabulary } = toInteractions(items === undefined ? train : withItems(train, items));
  report(`training ${input.model} on ${train.users.length} rows, ${interactions.userCount} users, ${interactions.itemCount} items`);
  const startMs = input.nowMs();
  const model = await algorithm.train(
    { interactions, params, seed: input.seed, attributes: items && itemAttributes({ catalog: items, vocabulary }) },
    { threads: input.threads, onStep: ({ done, total, note }) => report(`training: ${Math.round((100 * done) / total)} % (${note})`) },
  );
  const trainSeconds = (input.nowMs() - startMs) / 1000;
  const exported = model.exportGraph();
  const known = validation === undefined ? [train] : [train, validation];
  const queries = input.asks === 'rest' ? userQueries({ known, test, vocabulary }) : nextItemQueries({ test, vocabulary });
  const isCold = items === undefined ? undefined : coldOf(interactions);
  const found = await rankAll({ graph: { ...exported, itemCount: vocabulary.length, maxHistory: model.maxHistory }, queries, isCold, ...input });
  if (found.users === 0)
    throw new UnderstudyError(
      'UND-NO-DATA',
      input.asks === 'rest'
        ? 'No user of the test file has an item that the training file does not have for the same user'
        : 'No user of the test file has two rows, the one after the other',
    );
  return { model: input.model, ...found, trainSeconds, graphBytes: graphSize(exported) };
}

/** The same rows, with items behind theirs that have none. */
function withItems(rows: InteractionRows, items: readonly CatalogItem[]): InteractionRows {
  const known = new Set(rows.itemIds);
  return { ...rows, itemIds: [...rows.itemIds, ...items.flatMap(({ itemId }) => (known.has(itemId) ? [] : itemId))] };
}

function coldOf({ items, itemCount }: Interactions): (item: number) => boolean {
  const had = new Uint8Array(itemCount);
  for (const item of items) had[item] = 1;
  return (item) => had[item] === 0;
}

type RankInput = {
  graph: GraphBytes & { itemCount: number; maxHistory: number };
  queries: Iterable<Query>;
  isCold: ((item: number) => boolean) | undefined;
} & Pick<EvaluateInput, 'test' | 'cutoffs' | 'seed' | 'report'>;

async function rankAll({ graph: source, queries, isCold, test, cutoffs, seed, report }: RankInput) {
  report(`scoring ${test.userIds.length} users`);
  const count = Math.max(...cutoffs);
  const names = metricNames(cutoffs);
  const [means, cold] = [new GroupedMeans({ names }), new GroupedMeans({ names })];
  const values = new Float64Array(names.length);
  const shown = cutoffs.map(() => new Uint8Array(source.itemCount));
  const graph = await openRecommendGraph(source);
  try {
    for (const { wanted, ...request } of queries) {
      const { items } = await graph.recommend({ ...request, count });
      measureUser({ list: items, wanted, cutoffs, values });
      means.add(values);
      for (const [index, cutoff] of cutoffs.entries()) for (const item of items.slice(0, cutoff)) (shown[index] as Uint8Array)[item] = 1;
      if (means.users % 500 === 0) report(`scoring: ${means.users} lists`);
      const neverSeen = isCold && new Set([...wanted].filter(isCold));
      if (neverSeen === undefined || neverSeen.size === 0) continue;
      measureUser({ list: items, wanted: neverSeen, cutoffs, values });
      cold.add(values);
    }
  } finally {
    await graph.close();
  }
  const figures = (of: GroupedMeans) => (of.users === 0 ? { metrics: {}, intervals: {} } : { metrics: of.means(), intervals: of.intervals({ seed }) });
  const coverage = cutoffs.map((cutoff, index) => [`coverage@${cutoff}`, (shown[index] as Uint8Array).reduce((sum, one) => sum + one, 0) / source.itemCount]);
  const { metrics, intervals } = figures(means);
  return {
    users: means.users,
    metrics: means.users === 0 ? metrics : { ...metrics, ...Object.fromEntries(coverage) },
    intervals,
    ...(isCold === undefined ? {} : { coldItems: { users: cold.users, ...figures(cold) } }),
  };
}

/** Items are numbered in code-unit order of their ids (ties go to the lower number); users as they come; what has the same time stays in the file's order. */
export function toInteractions(rows: InteractionRows): { interactions: Interactions; vocabulary: string[] } {
  const { userIds, itemIds, items, atMs } = rows;
  const order = itemIds.map((_, item) => item).sort((a, b) => ((itemIds[a] as string) < (itemIds[b] as string) ? -1 : 1));
  const indexOf = new Uint32Array(itemIds.length);
  order.forEach((item, index) => {
    indexOf[item] = index;
  });
  const ordered = orderRows(rows);
  const interactions: Interactions = {
    userCount: userIds.length,
    itemCount: itemIds.length,
    indptr: ordered.from,
    items: ordered.rows.map((row) => indexOf[items[row] as number] as number),
    weights: new Float32Array(items.length).fill(1),
    atMs: new Float64Array(items.length),
  };
  for (let place = 0; place < items.length; place += 1) interactions.atMs[place] = atMs[ordered.rows[place] as number] as number;
  return { interactions, vocabulary: order.map((item) => itemIds[item] as string) };
}
