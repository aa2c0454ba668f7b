import type { BootstrapSettings, GroupedMeans } from '../../experiments/ranking/grouped-means.ts';
import { segmentUsers } from '../../experiments/ranking/segments.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { Report, ReportPart } from '../../models/contracts/report.ts';
import type { TestData } from '../windows/read-test.ts';
import type { TrainData } from '../windows/read-window.ts';
import { type Facts, fairGroupsOf, mostPopular } from './item-facts.ts';
import { beyondCutoff, openArm, sliceNames } from './offline-arm.ts';
import type { Ranker } from './ranker.ts';
import { userFacts } from './user-facts.ts';

/** `sums`: of the charter's primary metric. */
export type SplitEvidence = Pick<Report, 'users' | 'metrics' | 'championMetrics' | 'lift' | 'slices' | 'segments'> & {
  sums: ReturnType<GroupedMeans['sumsOf']>;
};

type Input = {
  candidate: Ranker;
  champion: Ranker | null;
  charter: Charter;
  catalog: readonly CatalogItem[];
  train: TrainData;
  test: TestData;
  items: Facts;
  seed: number;
  beat: () => void;
};

/** Ranks the full catalog for the test part's users, with candidate and champion, and compares them user by user. */
export async function measureSplit({ candidate, champion, charter, catalog, train, test, items, seed, beat }: Input): Promise<SplitEvidence> {
  const { segments, ofUser } = segmentUsers({ segmentations: charter.evaluation.segments, users: userFacts({ train, users: test.users, catalog }) });
  const groupsOf = fairGroupsOf(charter.fairness, catalog, train.vocabulary);
  const about = { train, test, items, charter, groupsOf, segments: segments.length };
  const mine = openArm({ ranker: candidate, ...about });
  const theirs = champion === null ? undefined : openArm({ ranker: champion, ...about });
  for (const [number, user] of test.users.entries()) {
    const baseline = mostPopular({ popular: items.popular, user, scopeBias: test.scopeBias, count: beyondCutoff });
    const own = { baseline, segments: ofUser[number] ?? [] };
    await mine.add(user, own);
    await theirs?.add(user, own);
    if (number % 200 === 0) beat();
  }
  for (const [number, user] of test.newUsers.entries()) {
    await mine.addNew(user);
    await theirs?.addNew(user);
    if (number % 1_000 === 0) beat();
  }
  const settings = { seed, replications: 500 };
  const none = test.users.length === 0;
  const part = (one: GroupedMeans, other: GroupedMeans | undefined) =>
    partOf({ mine: one, theirs: other, settings, atLeast: charter.evaluation.minSegmentUsers });
  return {
    sums: mine.means.sumsOf(charter.gates.primaryMetric),
    users: test.users.length,
    metrics: none ? {} : mine.summarize(settings),
    championMetrics: theirs === undefined || none ? null : theirs.summarize(settings),
    lift: theirs === undefined || none ? null : mine.means.lift(theirs.means, settings),
    slices: Object.fromEntries(sliceNames.map((name) => [name, part(mine.slices[name], theirs?.slices[name])])),
    segments: segments.map((segment, place) => ({ ...segment, ...part(mine.segments[place] as GroupedMeans, theirs?.segments[place]) })),
  };
}

type Part = { mine: GroupedMeans; theirs: GroupedMeans | undefined; settings: BootstrapSettings; atLeast: number };

/** Of fewer users than that no figure is given, since it would be read as one. */
function partOf({ mine, theirs, settings, atLeast }: Part): ReportPart {
  if (mine.users < atLeast) return { users: mine.users, tooFew: true, metrics: {}, lift: null };
  return { users: mine.users, tooFew: false, metrics: mine.intervals(settings), lift: theirs === undefined ? null : mine.lift(theirs, settings) };
}
