import { answersChange } from '../../experiments/drift/compare-items.ts';
import { readVector } from '../../experiments/drift/read-vector.ts';
import { type Vectors, vectorsOf } from '../../experiments/drift/vectors.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import { loadArtifact } from '../../stores/artifacts.ts';
import type { State } from '../context.ts';
import { openRanker } from '../evidence/ranker.ts';
import type { UnitPeriod } from './read-periods.ts';
import { vectorsOfArtifact } from './retrained-vectors.ts';

const [answersOf, scoresOf, listed] = [300, 1000, 10];
/** Scores that are read for each number of a user's vector, and the share of them that it must account for. */
const [scoresANumber, explainedAtLeast] = [20, 0.99];

/** Names of the columns of `scores`. */
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

/** `scores` [users, 3]; `vectors` [users, dimensions], null where scores are no products with the item vectors that are kept. */
export type Answered = { scores: Vectors; vectors: Vectors | null };

/**
 * What a model answers to users' histories: the best score and the tenth, and the share of the history that it knows; and where it puts them. No vector of a user is kept: it is read back from
 * the scores, beside those of nobody's history, which are the same for all.
 */
export async function askOfUsers(state: State, { artifact, sides }: { artifact: string; sides: readonly (readonly UnitPeriod[])[] }): Promise<Answered[]> {
  const { vocabulary, manifest, graphPath } = await loadArtifact({ blobs: state.blobs, generations: state.generations, digest: artifact });
  const items = await vectorsOfArtifact(state, artifact);
  const indexOf = new Map(vocabulary.map((itemId, index) => [itemId, index]));
  const places = new Map(items?.itemIds.map((itemId, row) => [itemId, row]));
  const rowOf = vocabulary.map((itemId) => places.get(itemId));
  const cloud = items === undefined ? null : { count: items.itemIds.length, dimensions: items.dimensions, values: Float64Array.from(items.vectors) };
  const graph = await openRecommendGraph({ path: graphPath, itemCount: vocabulary.length, maxHistory: manifest.maxHistory });
  try {
    const ask = (history: readonly number[], count: number) => graph.recommend({ history, historyWeight: history.map(() => 1), exclude: [], count });
    const nobody = cloud === null ? { items: [], scores: [] } : await ask([], vocabulary.length);
    const known = new Map(Array.from(nobody.items, (index, place) => [index, nobody.scores[place] as number]));
    const answered: Answered[] = [];
    for (const users of sides) {
      const [rows, vectors]: [number[][], number[][]] = [[], []];
      let isProduct = cloud !== null;
      for (const user of users.slice(0, scoresOf)) {
        const all = historyOf(user);
        if (all.length === 0) continue;
        const history = all.flatMap((itemId) => indexOf.get(itemId) ?? []);
        const { items: best, scores } = await ask(history, Math.min(Math.max(listed, scoresANumber * (cloud?.dimensions ?? 0)), vocabulary.length));
        rows.push([scores[0] ?? 0, scores[Math.min(listed, scores.length) - 1] ?? 0, history.length / all.length]);
        if (!isProduct || cloud === null) continue;
        const told = Array.from(best, (index, place) => ({ row: rowOf[index], product: (scores[place] as number) - (known.get(index) ?? Number.NaN) })).filter(
          (one): one is { row: number; product: number } => one.row !== undefined && Number.isFinite(one.product),
        );
        const { vector, explained } = readVector(cloud, { rows: told.map(({ row }) => row), products: told.map(({ product }) => product) });
        isProduct = explained >= explainedAtLeast;
        vectors.push([...vector]);
      }
      answered.push({ scores: vectorsOf(rows), vectors: isProduct ? vectorsOf(vectors) : null });
    }
    return answered;
  } finally {
    await graph.close();
  }
}
