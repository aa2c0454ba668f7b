import { metricIntervals, pairedLift } from '../../experiments/ranking/bootstrap.ts';
import { catalogCoverage, perUserMetrics, type UserMetrics } from '../../experiments/ranking/metrics.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { Report } from '../../models/contracts/report.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import type { State } from '../context.ts';
import { readTest, type TestData } from '../windows/read-test.ts';
import { readTrain, type TrainData } from '../windows/read-window.ts';
import { openRanker } from './ranker.ts';

export type OfflineEvidence = Pick<Report, 'users' | 'metrics' | 'championMetrics' | 'lift'>;
type Measured = { byUser: UserMetrics; coverage: number };

const cutoffs = [10, 20];

/** Ranks the full catalog for the test part's users, with candidate and champion, and compares them user by user. */
export async function measureOffline(
  state: State,
  input: { window: WindowManifest; charter: Charter; candidate: string; champion: string | null; seed: number; beat: () => void; signal: AbortSignal },
): Promise<OfflineEvidence> {
  const { window, charter, seed, beat, signal } = input;
  const source = { window, blobs: state.blobs, charter, signal };
  const train = await readTrain(source);
  const test = await readTest({ ...source, ...train });
  const settings = { seed, replications: 500 };
  const candidate = await measure(state, { artifact: input.candidate, train, test, beat });
  const champion = input.champion === null ? null : await measure(state, { artifact: input.champion, train, test, beat });
  // One place for all users: coverage has no interval by user.
  const point = (value: number) => ({ value, low: value, high: value });
  return {
    users: test.users.length,
    metrics: { ...metricIntervals({ metrics: candidate.byUser, ...settings }), 'coverage@10': point(candidate.coverage) },
    championMetrics: champion === null ? null : { ...metricIntervals({ metrics: champion.byUser, ...settings }), 'coverage@10': point(champion.coverage) },
    lift: champion === null ? null : pairedLift({ candidate: candidate.byUser, champion: champion.byUser, ...settings }),
  };
}

async function measure(
  state: State,
  { artifact, train, test, beat }: { artifact: string; train: TrainData; test: TestData; beat: () => void },
): Promise<Measured> {
  const inScope = new Set(train.vocabulary.filter((_, index) => test.scopeBias[index] === 0));
  const ranker = await openRanker(state, { artifact, allowed: (itemId) => inScope.has(itemId) });
  try {
    const ids = (indexes: readonly number[]) => indexes.map((index) => train.vocabulary[index] ?? '');
    const ranked: string[][] = [];
    for (const [number, user] of test.users.entries()) {
      ranked.push(await ranker.rank({ history: ids(user.history), historyWeights: user.historyWeight, exclude: ids(user.exclude), count: 20 }));
      if (number % 200 === 0) beat();
    }
    const relevant = test.users.map((user) => new Set(ids(user.relevant)));
    return { byUser: perUserMetrics({ ranked, relevant, cutoffs }), coverage: catalogCoverage({ ranked, cutoff: 10, itemCount: inScope.size }) };
  } finally {
    await ranker.close();
  }
}
