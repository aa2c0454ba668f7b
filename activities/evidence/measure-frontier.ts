import { beyondAccuracy, beyondNames } from '../../experiments/ranking/catalog.ts';
import { GroupedMeans } from '../../experiments/ranking/grouped-means.ts';
import { measureUser, metricNames } from '../../experiments/ranking/metrics.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { Report } from '../../models/contracts/report.ts';
import { createRandom } from '../../models/random.ts';
import { diversify } from '../../models/slate/diversify.ts';
import type { TestData, TestUser } from '../windows/read-test.ts';
import type { TrainData } from '../windows/read-window.ts';
import { type Facts, mostPopular } from './item-facts.ts';
import { beyondCutoff as cutoff, rankUser } from './offline-arm.ts';
import type { Ranker } from './ranker.ts';

const weights = [0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9];
const usersAtMost = 2_000;

type Input = { ranker: Ranker; charter: Charter; train: TrainData; test: TestData; items: Facts; seed: number; beat: () => void };

/** What each weight of the re-ranker would make of the candidate's rankings: NDCG against novelty, serendipity and diversity, on a sample of the users. */
export async function measureFrontier({ ranker, charter, train, test, items, seed, beat }: Input): Promise<Report['frontier']> {
  const { weight: chosen, depth } = charter.slate.diversity;
  const users = sampleOf(test.users, seed);
  if (users.length === 0) return undefined;
  const rank = rankUser({ ranker, vocabulary: train.vocabulary });
  const cutoffs = [cutoff];
  const names = metricNames(cutoffs);
  const values = new Float64Array(names.length);
  const points = [...new Set([...weights, chosen])]
    .sort((a, b) => a - b)
    .map((weight) => ({ weight, means: new GroupedMeans({ names: [...names, ...beyondNames(cutoff)], groups: 1024 }) }));
  for (const [number, user] of users.entries()) {
    const ranked = await rank(user, Math.max(depth, charter.slate.size, cutoff));
    const baseline = mostPopular({ popular: items.popular, user, scopeBias: test.scopeBias, count: cutoff });
    const relevant = new Set(user.relevant);
    for (const { weight, means } of points) {
      const list = diversify({ ranked, size: charter.slate.size, diversity: { weight, depth }, distance: items.distance });
      measureUser({ list, wanted: relevant, cutoffs, values });
      means.add([...values, ...beyondAccuracy({ list, relevant, baseline, cutoff, items })]);
    }
    if (number % 100 === 0) beat();
  }
  const settings = { seed, replications: 500 };
  const plain = (points[0] as (typeof points)[number]).means;
  return {
    users: users.length,
    depth,
    chosen,
    points: points.map(({ weight, means }) => ({ weight, metrics: means.intervals(settings), lift: means.lift(plain, settings) })),
  };
}

/** So many users at most that trying every weight on each takes no longer than measuring all once. */
export function sampleOf(users: readonly TestUser[], seed: number): readonly TestUser[] {
  if (users.length <= usersAtMost) return users;
  const random = createRandom(seed);
  // Each place takes one of what is left for it: a sample without replacement, in order.
  let needed = usersAtMost;
  return users.filter((_, place) => {
    const isTaken = random.below(users.length - place) < needed;
    if (isTaken) needed -= 1;
    return isTaken;
  });
}
