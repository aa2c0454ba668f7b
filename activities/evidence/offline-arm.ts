import { beyondAccuracy, beyondNames, ExposureTally } from '../../experiments/ranking/catalog.ts';
import { type BootstrapSettings, GroupedMeans } from '../../experiments/ranking/grouped-means.ts';
import { measureUser, metricNames } from '../../experiments/ranking/metrics.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { type Arrangement, arrangementDepth, arranger, exposureMemory } from '../../models/slate/arrange.ts';
import type { TestData, TestUser } from '../windows/read-test.ts';
import type { TrainData } from '../windows/read-window.ts';
import { coldBelow, type Facts } from './item-facts.ts';
import type { Ranker } from './ranker.ts';

export const cutoffs = [10, 20];
export const beyondCutoff = 10;
export const sliceNames = ['cold-users', 'cold-items', 'new-users'] as const;
type Slices = Record<(typeof sliceNames)[number], GroupedMeans>;

type Input = {
  ranker: Ranker;
  train: Pick<TrainData, 'vocabulary'>;
  test: Pick<TestData, 'scopeBias'>;
  items: Facts;
  charter: Arrangement;
  /** Of the charter's fairness. */
  groupsOf: (item: number) => readonly number[];
  segments: number;
};
type About = { baseline: readonly number[] /** That hold the user. */; segments: ArrayLike<number> };

export type OfflineArm = ReturnType<typeof openArm>;

/** A user's ranking in indexes of the vocabulary: only what is in the scope of the evaluation is answered, so each has one. */
export function rankUser({ ranker, vocabulary }: { ranker: Ranker; vocabulary: readonly string[] }) {
  const indexOf = new Map(vocabulary.map((itemId, index) => [itemId, index]));
  const ids = (indexes: readonly number[]) => indexes.map((index) => vocabulary[index] ?? '');
  return async ({ history, historyWeight, exclude }: TestUser, count: number): Promise<number[]> => {
    const ranked = await ranker.rank({ history: ids(history), historyWeights: historyWeight, exclude: ids(exclude), count });
    return ranked.map((itemId) => indexOf.get(itemId) as number);
  };
}

/** One model's way through the test users: what it answers is measured as it comes, and nothing is kept of the lists. */
export function openArm({ ranker, train: { vocabulary }, test, items, charter, groupsOf, segments: segmentCount }: Input) {
  const { slate } = charter;
  const arrange = arranger({ ...charter, distance: items.distance, groupsOf });
  const memory = exposureMemory(charter.fairness);
  const rank = rankUser({ ranker, vocabulary });
  const inScope = test.scopeBias.reduce((count, bias) => count + (bias === 0 ? 1 : 0), 0);
  const names = metricNames(cutoffs);
  const allNames = [...names, ...beyondNames(beyondCutoff)];
  const means = new GroupedMeans({ names: allNames });
  const slices = Object.fromEntries(sliceNames.map((name) => [name, new GroupedMeans({ names })])) as Slices;
  const segments = Array.from({ length: segmentCount }, () => new GroupedMeans({ names: allNames, groups: 1024 }));
  const exposure = new ExposureTally({ itemCount: vocabulary.length, cutoff: 10 });
  const values = new Float64Array(names.length);
  let toStrangers: readonly number[] | undefined;

  /** As it would be shown. */
  async function answer(user: TestUser): Promise<readonly number[]> {
    const ranked = await rank(user, arrangementDepth({ ...charter, size: Math.max(slate.size, ...cutoffs) }));
    const list = arrange(ranked, slate.size, memory.deficits());
    memory.note(list.slice(0, slate.size), groupsOf);
    return list;
  }

  return {
    means,
    slices,
    segments,
    async add(user: TestUser, about: About): Promise<void> {
      const list = await answer(user);
      const wanted = new Set(user.relevant);
      measureUser({ list, wanted, cutoffs, values });
      const all = [...values, ...beyondAccuracy({ list, relevant: wanted, baseline: about.baseline, cutoff: beyondCutoff, items })];
      means.add(all);
      for (let place = 0; place < about.segments.length; place += 1) segments[about.segments[place] as number]?.add(all);
      exposure.add(list);
      if (user.history.length < coldBelow) slices['cold-users'].add(values);
      const cold = new Set(user.relevant.filter(items.isCold));
      if (cold.size === 0) return;
      measureUser({ list, wanted: cold, cutoffs, values });
      slices['cold-items'].add(values);
    },
    /** A user of whom the train part knows nothing: all of them get one answer, unless something may not be shown, or a group is owed something. */
    async addNew(user: TestUser): Promise<void> {
      const isPlain = user.exclude.length === 0 && !memory.remembers;
      const list = (isPlain ? toStrangers : undefined) ?? (await answer(user));
      if (isPlain) toStrangers = list;
      measureUser({ list, wanted: new Set(user.relevant), cutoffs, values });
      slices['new-users'].add(values);
    },
    summarize(settings: BootstrapSettings): Record<string, Interval> {
      const { coverage, gini, entropy } = exposure.summarize();
      // One figure for all users: it has no interval by user. Of the catalog in scope, as of then.
      const point = (value: number) => ({ value, low: value, high: value });
      return {
        ...means.intervals(settings),
        'coverage@10': point(inScope === 0 ? 0 : (coverage * vocabulary.length) / inScope),
        'gini@10': point(gini),
        'entropy@10': point(entropy),
      };
    },
  };
}
