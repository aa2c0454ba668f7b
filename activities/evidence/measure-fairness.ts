import { scaledRules, scales } from '../../experiments/fairness/scaled-rules.ts';
import { GroupedMeans } from '../../experiments/ranking/grouped-means.ts';
import { measureUser, metricNames } from '../../experiments/ranking/metrics.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { FairnessRules } from '../../models/contracts/fairness.ts';
import type { Report } from '../../models/contracts/report.ts';
import { arrangementDepth, arranger, exposureMemory, groupsIn } from '../../models/slate/arrange.ts';
import { exposureShares } from '../../models/slate/fair-exposure.ts';
import { adjustedSignificance, isFair } from '../../models/slate/fair-top-k.ts';
import type { TestData } from '../windows/read-test.ts';
import type { TrainData } from '../windows/read-window.ts';
import { type Facts, fairGroupsOf } from './item-facts.ts';
import { sampleOf } from './measure-frontier.ts';
import { beyondCutoff as cutoff, rankUser } from './offline-arm.ts';
import type { Ranker } from './ranker.ts';

type Input = {
  ranker: Ranker;
  charter: Charter;
  catalog: readonly CatalogItem[];
  train: TrainData;
  test: TestData;
  items: Facts;
  seed: number;
  beat: () => void;
};
type Listed = { ranked: readonly number[]; relevant: ReadonlySet<number> };

/**
 * What the charter's fairness costs and what it brings, at shares of what it asks for: NDCG, and of each group the share of the slates' exposure. What is amortized
 * over requests is measured in its balance: the sample's slates are made once before they are made again and counted.
 */
export async function measureFairness(input: Input): Promise<Report['fairness']> {
  const { ranker, charter, train, test, seed, beat } = input;
  const { fairness: rules } = charter;
  const users = sampleOf(test.users, seed);
  if (rules === undefined || users.length === 0) return undefined;
  const rank = rankUser({ ranker, vocabulary: train.vocabulary });
  const depth = arrangementDepth({ ...charter, size: Math.max(charter.slate.size, cutoff) });
  const lists: Listed[] = [];
  for (const [number, user] of users.entries()) {
    lists.push({ ranked: await rank(user, depth), relevant: new Set(user.relevant) });
    if (number % 100 === 0) beat();
  }
  const measured = scales.map((scale) => {
    beat();
    return { scale, means: measureAt(input, rules, scale, lists) };
  });
  const settings = { seed, replications: 500 };
  const plain = (measured[0] as (typeof measured)[number]).means;
  const points = measured.map(({ scale, means }) => {
    const [all, lift] = [means.intervals(settings), means.lift(plain, settings)];
    const accuracy = metricNames([cutoff]);
    return {
      scale,
      metrics: Object.fromEntries(accuracy.map((name) => [name, all[name] ?? { value: 0, low: 0, high: 0 }])),
      lift: Object.fromEntries(accuracy.map((name) => [name, lift[name] ?? { value: 0, low: 0, high: 0 }])),
      exposure: Object.fromEntries(groupsIn(rules).map(({ name }) => [name, all[exposureOf(name)] ?? { value: 0, low: 0, high: 0 }])),
      ...(rules.method === 'fa-ir' ? { fair: all.fair } : {}),
    };
  });
  const asked =
    rules.method === 'fa-ir' ? [{ name: rules.group.name, share: rules.share }] : rules.groups.map(({ name, minShare }) => ({ name, share: minShare }));
  return { users: users.length, method: rules.method, depth: rules.depth, asked, points };
}

const exposureOf = (group: string): string => `exposure:${group}`;

function measureAt({ charter, catalog, train, items }: Input, rules: FairnessRules, scale: number, lists: readonly Listed[]): GroupedMeans {
  const { slate } = charter;
  const groups = groupsIn(rules);
  const groupsOf = fairGroupsOf(rules, catalog, train.vocabulary);
  const fairness = scaledRules(rules, scale);
  const arrange = arranger({ slate, fairness, distance: items.distance, groupsOf });
  const memory = exposureMemory(fairness);
  const table = rules.method === 'fa-ir' ? adjustedSignificance({ size: slate.size, share: rules.share, significance: rules.significance }).table : [];
  const cutoffs = [cutoff];
  const names = metricNames(cutoffs);
  const values = new Float64Array(names.length);
  const means = new GroupedMeans({ names: [...names, ...groups.map(({ name }) => exposureOf(name)), 'fair'], groups: 1024 });
  const make = (ranked: readonly number[]): { list: readonly number[]; shown: readonly number[] } => {
    const list = arrange(ranked, slate.size, memory.deficits());
    const shown = list.slice(0, slate.size);
    memory.note(shown, groupsOf);
    return { list, shown };
  };
  if (memory.remembers) for (const { ranked } of lists) make(ranked);
  for (const { ranked, relevant } of lists) {
    const { list, shown } = make(ranked);
    measureUser({ list, wanted: relevant, cutoffs, values });
    const fair = isFair(shown, table, (item) => groupsOf(item).length > 0);
    means.add([...values, ...exposureShares(shown, groups.length, groupsOf), Number(fair)]);
  }
  return means;
}
