import { answersChange } from '../../experiments/drift/compare-items.ts';
import { type Vectors, vectorsOf } from '../../experiments/drift/vectors.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import { loadArtifact } from '../../stores/artifacts.ts';
import type { State } from '../context.ts';
import { openRanker } from '../evidence/ranker.ts';
import type { UnitPeriod } from './read-periods.ts';

const [answersOf, scoresOf, listed] = [300, 1000, 10];

/** Names of the columns of `scoresOfUsers`. */
export const scoreNames = ['best-score', 'tenth-score', 'known-history'];

const historyOf = ({ itemIds, wanted }: UnitPeriod): string[] => itemIds.filter((_, place) => wanted[place] === true);

/** Mean share of the best ten that two models do not have in common, for the same users' histories; null where nobody has any. */
export async function answersChanged(state: State, { from, to, users }: { from: string; to: string; users: readonly UnitPeriod[] }): Promise<number | null> {
  const histories = users
    .map(historyOf)
    .filter((history) => history.length > 0)
    .slice(0, answersOf);
  if (histories.length === 0) return null;
  const [one, other] = [await openRanker(state, { artifact: from, allowed: () => true }), await openRanker(state, { artifact: to, allowed: () => true })];
  try {
    let sum = 0;
    for (const history of histories) {
      const request = { history, historyWeights: history.map(() => 1), exclude: [], count: listed };
      sum += answersChange(await one.rank(request), await other.rank(request));
    }
    return sum / histories.length;
  } finally {
    await one.close();
    await other.close();
  }
}

/** [users, 3]: of what a model answers to users' histories, the best score and the tenth, and the share of the history that it knows. */
export async function scoresOfUsers(state: State, { artifact, users }: { artifact: string; users: readonly UnitPeriod[] }): Promise<Vectors> {
  const { vocabulary, manifest, graphPath } = await loadArtifact({ blobs: state.blobs, generations: state.generations, digest: artifact });
  const indexOf = new Map(vocabulary.map((itemId, index) => [itemId, index]));
  const graph = await openRecommendGraph({ path: graphPath, itemCount: vocabulary.length, maxHistory: manifest.maxHistory });
  const rows: number[][] = [];
  try {
    for (const user of users.slice(0, scoresOf)) {
      const all = historyOf(user);
      if (all.length === 0) continue;
      const history = all.flatMap((itemId) => indexOf.get(itemId) ?? []);
      const { scores } = await graph.recommend({ history, historyWeight: history.map(() => 1), exclude: [], count: Math.min(listed, vocabulary.length) });
      rows.push([scores[0] ?? 0, scores.at(-1) ?? 0, history.length / all.length]);
    }
  } finally {
    await graph.close();
  }
  return vectorsOf(rows);
}
