import { GroupedMeans } from '../../experiments/ranking/grouped-means.ts';
import { canonicalJson } from '../../models/contracts/digest.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { fairGroups, groupsIn } from '../../models/slate/arrange.ts';
import { exposureShares } from '../../models/slate/fair-exposure.ts';
import { adjustedSignificance, isFair } from '../../models/slate/fair-top-k.ts';
import { charterSince } from '../registry/charters.ts';
import type { Context } from '../context.ts';
import { type MeasureInput, newestCatalog, sampleLog } from './measure-log.ts';

/** What groups of items had in slates, of what the charter owes them. */
export type OwedExposure = {
  /** Since when the charter owes them this, or since when logs are looked at. */
  sinceMs: number;
  units: number;
  slates: number;
  /** Of `exposure`: a group's share of the slates' exposure by its minimum share. Of `fa-ir`: slates that hold as many of the group as it asks, by all. */
  groups: { name: string; ratio: Interval }[];
};

const level = 0.95;
const none: readonly number[] = [];

/**
 * The model's slates as they were shown, explored places included. Each user counts once, by the mean of their slates; intervals are of resampled users, and hold together
 * (Bonferroni). Undefined where the charter owes nothing.
 * @throws UND-LOG-UNAVAILABLE where the log cannot be read
 */
export async function measureOwedExposure(context: Pick<Context, 'state'>, input: MeasureInput): Promise<OwedExposure | undefined> {
  const { charter, surface } = input;
  const { fairness: rules, slate: asked } = charter;
  if (rules === undefined) return undefined;
  // Of slates from before the rules nothing was owed, nor was it of other sizes.
  const owing = canonicalJson({ rules, size: asked.size });
  const since = await charterSince(context.state, surface, (one) => canonicalJson({ rules: one.fairness ?? null, size: one.slate.size }) === owing);
  const fromMs = Math.max(input.fromMs, since);
  const { slates } = await sampleLog(context, { ...input, fromMs, wanted: new Set() });
  const own = slates.filter(({ rung, items }) => rung === 'model' && items.length > 0);
  const groupsByItem = fairGroups(rules, await newestCatalog(context, surface));
  const groupsOf = (itemId: string): readonly number[] => groupsByItem.get(itemId) ?? none;
  const groups = groupsIn(rules);
  const table = rules.method === 'fa-ir' ? adjustedSignificance({ size: asked.size, share: rules.share, significance: rules.significance }).table : [];
  const ratiosOf = (items: readonly string[]): number[] =>
    rules.method === 'fa-ir'
      ? [Number(isFair(items, table, (itemId) => groupsOf(itemId).length > 0))]
      : exposureShares(items, groups.length, groupsOf).map((share, group) => share / (rules.groups[group] as (typeof rules.groups)[number]).minShare);
  const means = meansByUnit(own.map(({ unit, items }) => ({ unit, values: ratiosOf(items) })));
  const names = groups.map(({ name }) => name);
  const all = new GroupedMeans({ names });
  for (const values of means) all.add(values);
  const intervals = all.users === 0 ? {} : all.intervals({ seed: 1, replications: 2000, level: 1 - (1 - level) / names.length });
  return {
    ...{ sinceMs: fromMs, units: all.users, slates: own.length },
    groups: names.flatMap((name) => (intervals[name] === undefined ? [] : [{ name, ratio: intervals[name] }])),
  };
}

function meansByUnit(slates: readonly { unit: string; values: readonly number[] }[]): number[][] {
  const sums = new Map<string, { count: number; values: number[] }>();
  for (const { unit, values } of slates) {
    const own = sums.get(unit) ?? { count: 0, values: values.map(() => 0) };
    sums.set(unit, { count: own.count + 1, values: own.values.map((sum, at) => sum + (values[at] as number)) });
  }
  return [...sums.values()].map(({ count, values }) => values.map((sum) => sum / count));
}
