import { catalogCoverage, meanOf, perUserMetrics } from '../../experiments/ranking/metrics.ts';
import type { Interactions } from '../../models/algorithms/algorithm.ts';
import { algorithmNamed, parseParams } from '../../models/algorithms/registry.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import type { InteractionRows } from './read-interactions.ts';

export type Evaluation = { model: string; users: number; metrics: Record<string, number>; trainSeconds: number };

export type EvaluateInput = {
  train: InteractionRows;
  test: InteractionRows;
  model: string;
  params: unknown;
  cutoffs: readonly number[];
  seed: number;
  /** Monotonic, milliseconds. */
  nowMs: () => number;
  report: (line: string) => void;
};

/**
 * Trains on one set and ranks the full catalog (all items of the training set) for every user of the other, through the exported graph.
 *
 * Items a user has in the training set are neither recommended to nor wanted by that user. Users without training rows are scored with an
 * empty history. Test items that training never saw stay wanted, out of reach. Users who want nothing new are left out.
 * @throws UND-INPUT for an unknown model or parameters with mistakes; UND-NO-DATA when nothing can be trained or scored.
 */
export async function evaluate(input: EvaluateInput): Promise<Evaluation> {
  const { train, test, report } = input;
  const algorithm = algorithmNamed(input.model);
  const params = parseParams(algorithm, input.params);
  if (train.users.length === 0) throw new UnderstudyError('UND-NO-DATA', 'The training file has no rows');

  const { interactions, vocabulary } = toInteractions(train);
  report(`training ${input.model} on ${train.users.length} rows, ${interactions.userCount} users, ${interactions.itemCount} items`);
  const startMs = input.nowMs();
  const model = await algorithm.train(
    { interactions, params, seed: input.seed },
    { onStep: ({ done, total, note }) => report(`training: ${Math.round((100 * done) / total)} % (${note})`) },
  );
  const trainSeconds = (input.nowMs() - startMs) / 1000;

  const wanted = wantedItems({ test, train, interactions, vocabulary });
  if (wanted.length === 0)
    throw new UnderstudyError('UND-NO-DATA', 'No user of the test file has an item that the training file does not have for the same user');
  report(`scoring ${wanted.length} users`);
  const ranked: string[][] = [];
  const graph = await openRecommendGraph({ bytes: model.exportGraph(), itemCount: interactions.itemCount, maxHistory: model.maxHistory });
  try {
    for (const { user } of wanted) {
      const seen = user === undefined ? { history: [], historyWeight: [] } : historyOf(interactions, user);
      const answer = await graph.recommend({ ...seen, exclude: seen.history, count: Math.max(...input.cutoffs) });
      ranked.push(answer.items.map((item) => vocabulary[item] as string));
      if (ranked.length % 500 === 0) report(`scoring: ${Math.round((100 * ranked.length) / wanted.length)} %`);
    }
  } finally {
    await graph.close();
  }

  const perUser = perUserMetrics({ ranked, relevant: wanted.map(({ items }) => items), cutoffs: input.cutoffs });
  const metrics: Record<string, number> = {};
  for (const [name, values] of Object.entries(perUser)) metrics[name] = meanOf(values);
  for (const cutoff of input.cutoffs) metrics[`coverage@${cutoff}`] = catalogCoverage({ ranked, cutoff, itemCount: vocabulary.length });
  return { model: input.model, users: wanted.length, metrics, trainSeconds };
}

/** Items are numbered in code-unit order of their ids (ties go to the lower number); users as they come. */
export function toInteractions({ userIds, itemIds, users, items, atMs }: InteractionRows): { interactions: Interactions; vocabulary: string[] } {
  const order = itemIds.map((_, item) => item).sort((a, b) => ((itemIds[a] as string) < (itemIds[b] as string) ? -1 : 1));
  const indexOf = new Uint32Array(itemIds.length);
  order.forEach((item, index) => {
    indexOf[item] = index;
  });
  const rows = users.map((_, row) => row);
  const index = (row: number): number => indexOf[items[row] as number] as number;
  rows.sort((a, b) => (users[a] as number) - (users[b] as number) || (atMs[a] as number) - (atMs[b] as number) || index(a) - index(b));
  const indptr = new Uint32Array(userIds.length + 1);
  for (const user of users) indptr[user + 1] = (indptr[user + 1] as number) + 1;
  for (let user = 0; user < userIds.length; user += 1) indptr[user + 1] = (indptr[user + 1] as number) + (indptr[user] as number);
  const interactions: Interactions = {
    userCount: userIds.length,
    itemCount: itemIds.length,
    indptr,
    items: Uint32Array.from(rows, index),
    weights: new Float32Array(rows.length).fill(1),
    atMs: Float64Array.from(rows, (row) => atMs[row] as number),
  };
  return { interactions, vocabulary: order.map((item) => itemIds[item] as string) };
}

/** Each item once, at its last place, with the number of its rows as weight: so that a long history fits a model's window. */
function historyOf({ indptr, items }: Interactions, user: number): { history: number[]; historyWeight: number[] } {
  const weights = new Map<number, number>();
  for (const item of items.subarray(indptr[user], indptr[user + 1])) {
    const weight = (weights.get(item) ?? 0) + 1;
    weights.delete(item);
    weights.set(item, weight);
  }
  return { history: [...weights.keys()], historyWeight: [...weights.values()] };
}

type Wanted = { user: number | undefined; items: Set<string> };

function wantedItems({
  test,
  train,
  interactions,
  vocabulary,
}: {
  test: InteractionRows;
  train: InteractionRows;
  interactions: Interactions;
  vocabulary: readonly string[];
}): Wanted[] {
  const trainUser = new Map(train.userIds.map((id, user) => [id, user]));
  const wanted: Wanted[] = test.userIds.map((id) => ({ user: trainUser.get(id), items: new Set() }));
  for (const [row, user] of test.users.entries()) wanted[user]?.items.add(test.itemIds[test.items[row] as number] as string);
  for (const { user, items } of wanted) {
    if (user === undefined) continue;
    for (const item of interactions.items.subarray(interactions.indptr[user], interactions.indptr[user + 1])) items.delete(vocabulary[item] as string);
  }
  return wanted.filter(({ items }) => items.size > 0);
}
