import { groupCount, groupOf } from '../../experiments/decay/group-sums.ts';
import { measureUser, metricNames } from '../../experiments/ranking/metrics.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { DataState, WindowManifest } from '../../models/contracts/window.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import { type Arrangement, arrangementDepth, arranger, exposureMemory } from '../../models/slate/arrange.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Facts, fairGroupsOf, itemFacts } from '../evidence/item-facts.ts';
import { cutoffs, rankUser } from '../evidence/offline-arm.ts';
import { rankerOf } from '../evidence/ranker.ts';
import { addDays } from '../windows/days.ts';
import { readTest, type TestData } from '../windows/read-test.ts';
import { readTrain, type TrainData } from '../windows/read-window.ts';
import { slicesWithin, type TrainedModel, windowOver } from './trained-models.ts';

/** A test part with all that is known before it. */
export type Split = {
  window: WindowManifest;
  train: TrainData;
  test: TestData;
  items: Facts;
  groupsOf: (item: number) => readonly number[] /** [groups] users. */;
  counts: number[];
};

type SplitInput = {
  blobs: BlobStore;
  data: DataState;
  charter: Charter;
  rulesDigest: string;
  catalog: readonly CatalogItem[];
  testTo: string;
  testDays: number;
  trainTo: string;
  trainDays: number;
  signal: AbortSignal | undefined;
};

/** Who is measured there, what each wanted, and what each had done before: the same for every model that is measured on it. */
export async function openSplit({ blobs, catalog, testTo, testDays, trainTo, trainDays, signal, ...about }: SplitInput): Promise<Split> {
  const test = { from: addDays(testTo, 1 - testDays), to: testTo };
  const window = windowOver(about, { train: { from: addDays(trainTo, 1 - trainDays), to: trainTo }, test, testSlices: slicesWithin(about.data, test) });
  const source = { window, blobs, charter: about.charter, signal };
  const train = await readTrain(source);
  const tested = await readTest({ ...source, ...train });
  const counts = new Array<number>(groupCount).fill(0);
  for (const { unit } of tested.users) counts[groupOf(unit)] = (counts[groupOf(unit)] as number) + 1;
  return { window, train, test: tested, items: itemFacts(train, catalog), groupsOf: fairGroupsOf(about.charter.fairness, catalog, train.vocabulary), counts };
}

/** @returns [groups] the metric, added up over the users of each, of what the model would have shown them. */
export async function measureArm({
  model,
  split,
  charter,
  metric,
}: {
  model: TrainedModel;
  split: Split;
  charter: Arrangement;
  metric: string;
}): Promise<number[]> {
  const { train, test, items, groupsOf } = split;
  const { slate } = charter;
  const arrange = arranger({ ...charter, distance: items.distance, groupsOf });
  const memory = exposureMemory(charter.fairness);
  const inScope = new Set(train.vocabulary.filter((_, index) => test.scopeBias[index] === 0));
  const graph = await openRecommendGraph({ ...model.graph, itemCount: model.vocabulary.length, maxHistory: model.maxHistory });
  const ranker = rankerOf({ graph, vocabulary: model.vocabulary, allowed: (itemId) => inScope.has(itemId) });
  try {
    const rank = rankUser({ ranker, vocabulary: train.vocabulary });
    const names = metricNames(cutoffs);
    const values = new Float64Array(names.length);
    const place = names.indexOf(metric);
    const depth = arrangementDepth({ ...charter, size: Math.max(slate.size, ...cutoffs) });
    const sums = new Array<number>(groupCount).fill(0);
    for (const user of test.users) {
      const list = arrange(await rank(user, depth), slate.size, memory.deficits());
      memory.note(list.slice(0, slate.size), groupsOf);
      measureUser({ list, wanted: new Set(user.relevant), cutoffs, values });
      const group = groupOf(user.unit);
      sums[group] = (sums[group] as number) + (values[place] as number);
    }
    return sums;
  } finally {
    await ranker.close();
  }
}
