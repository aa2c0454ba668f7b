import type { BootstrapSettings, GroupedMeans } from '../../experiments/ranking/grouped-means.ts';
import { segmentUsers } from '../../experiments/ranking/segments.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { Report, ReportPart } from '../../models/contracts/report.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import type { State } from '../context.ts';
import { readTest } from '../windows/read-test.ts';
import { readTrain } from '../windows/read-window.ts';
import { checkLeak } from './check-leak.ts';
import { itemFacts, mostPopular } from './item-facts.ts';
import { beyondCutoff, openArm, sliceNames } from './offline-arm.ts';
import { openRanker, type Ranker } from './ranker.ts';
import { userFacts } from './user-facts.ts';

export type OfflineEvidence = Pick<Report, 'users' | 'metrics' | 'championMetrics' | 'lift' | 'slices' | 'segments' | 'leak'>;

type Input = {
  window: WindowManifest;
  charter: Charter;
  catalog: readonly CatalogItem[];
  candidate: string;
  champion: string | null;
  seed: number;
  beat: () => void;
  signal: AbortSignal;
};

/** Ranks the full catalog for the test part's users, with candidate and champion, and compares them user by user. */
export async function measureOffline(state: State, input: Input): Promise<OfflineEvidence> {
  const { window, charter, catalog, seed, beat, signal } = input;
  const source = { window, blobs: state.blobs, charter, signal };
  const train = await readTrain(source);
  const test = await readTest({ ...source, ...train });
  const items = itemFacts(train, catalog);
  const { segments, ofUser } = segmentUsers({ segmentations: charter.evaluation.segments, users: userFacts({ train, users: test.users, catalog }) });
  const inScope = new Set(train.vocabulary.filter((_, index) => test.scopeBias[index] === 0));
  const artifacts = [input.candidate, ...(input.champion === null ? [] : [input.champion])];
  const rankers: Ranker[] = [];
  try {
    for (const artifact of artifacts) rankers.push(await openRanker(state, { artifact, allowed: (itemId) => inScope.has(itemId) }));
    const arms = rankers.map((ranker) => openArm({ ranker, train, test, segments: segments.length }));
    for (const [number, user] of test.users.entries()) {
      const baseline = mostPopular({ popular: items.popular, user, scopeBias: test.scopeBias, count: beyondCutoff });
      for (const arm of arms) await arm.add(user, { baseline, items, segments: ofUser[number] ?? [] });
      if (number % 200 === 0) beat();
    }
    for (const [number, user] of test.newUsers.entries()) {
      for (const arm of arms) await arm.addNew(user);
      if (number % 1_000 === 0) beat();
    }
    const [candidate, champion] = arms;
    if (candidate === undefined) throw new TypeError('there is no candidate');
    const settings = { seed, replications: 500 };
    const none = test.users.length === 0;
    const part = (mine: GroupedMeans, theirs: GroupedMeans | undefined) => partOf({ mine, theirs, settings, atLeast: charter.evaluation.minSegmentUsers });
    return {
      users: test.users.length,
      metrics: none ? {} : candidate.summarize(settings),
      championMetrics: champion === undefined || none ? null : champion.summarize(settings),
      lift: champion === undefined || none ? null : candidate.means.lift(champion.means, settings),
      slices: Object.fromEntries(sliceNames.map((name) => [name, part(candidate.slices[name], champion?.slices[name])])),
      segments: candidate.segments.flatMap((mine, place) => {
        const segment = segments[place];
        return segment === undefined ? [] : [{ ...segment, ...part(mine, champion?.segments[place]) }];
      }),
      leak: await checkLeak(state, { window, charter, catalog, train, test, artifact: input.candidate, ranker: rankers[0] as Ranker, seed, beat }),
    };
  } finally {
    await Promise.all(rankers.map((ranker) => ranker.close()));
  }
}

type Part = { mine: GroupedMeans; theirs: GroupedMeans | undefined; settings: BootstrapSettings; atLeast: number };

/** Of fewer users than that no figure is given, since it would be read as one. */
function partOf({ mine, theirs, settings, atLeast }: Part): ReportPart {
  if (mine.users < atLeast) return { users: mine.users, tooFew: true, metrics: {}, lift: null };
  return { users: mine.users, tooFew: false, metrics: mine.intervals(settings), lift: theirs === undefined ? null : mine.lift(theirs, settings) };
}
