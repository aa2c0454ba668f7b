import type { DemandReference, GroupDemand } from '../../models/contracts/audit-measures.ts';
import { jackknife, shareOf, total } from './generation-figures.ts';
import { type GenerationSums, without } from './generation-sums.ts';

/** Groups that are compared; the others, by exposure and number of items, are one. */
const groupsAtMost = 12;
/** Events, or engagements of equal weight, that a group would have were it wanted as it is shown, or as it is large; with fewer nothing is said of it. */
const demandToSpeak = 50;
/** That any interval of a group is wrong. */
const error = 0.05;

type Input = { sums: GenerationSums; reference: DemandReference | null; itemIds: readonly string[]; group: (itemId: string) => string };

/**
 * Is each group of items shown for its share of what is wanted? Share of exposure by share of demand, with intervals by leaving out groups of units, on a logarithmic scale, that hold together over the
 * groups. One event of demand and one first place, spread over the catalog, keep it finite where a group is never shown.
 * @param itemIds by index of the sums
 */
export function* groupExposure({ sums, reference, itemIds, group }: Input): Generator<void, GroupDemand[], void> {
  const demand = reference === null ? null : reference === 'organic' ? sums.organic : sums.explored;
  const events = reference === 'organic' ? total(sums.organic.whole) : sums.exploredSampleSize;
  const names = itemIds.map(group);
  const weight = new Map<string, number>();
  const shown = Math.max(1, total(sums.shown.whole));
  // Not by demand: of groups that are looked at because much of them seems to be wanted, too much does.
  for (const [item, name] of names.entries()) weight.set(name, (weight.get(name) ?? 0) + (sums.shown.whole[item] as number) / shown + 1 / names.length);
  const sorted = [...weight].sort(([one, a], [other, b]) => b - a || (one < other ? -1 : 1)).map(([name]) => name);
  const listed = sorted.slice(0, sorted.length > groupsAtMost ? groupsAtMost - 1 : groupsAtMost);
  const all = sorted.length > listed.length ? [...listed, null] : listed;
  const place = new Map(listed.map((name, at) => [name, at]));
  const placeOf = Int32Array.from(names, (name) => place.get(name) ?? listed.length);
  const found = all.map((name, at) => {
    const isOf = (item: number) => placeOf[item] === at;
    const items = placeOf.reduce((sum, one) => sum + (one === at ? 1 : 0), 0);
    const likely = Math.max(shareOf(sums.shown.whole, isOf), items / names.length);
    return { name: name ?? '(others)', isOf, items, speaks: demand !== null && events * likely >= demandToSpeak };
  });
  const level = 1 - error / Math.max(1, found.filter(({ speaks }) => speaks).length);
  const groups: GroupDemand[] = [];
  for (const { name, isOf, items, speaks } of found) {
    const logarithm = speaks && demand !== null ? jackknife((left) => logRatio({ sums, demand, events, isOf, items, left }), level) : null;
    groups.push({
      group: name,
      items,
      exposureShare: shareOf(sums.shown.whole, isOf),
      demandShare: demand === null ? null : shareOf(demand.whole, isOf),
      ratio: logarithm && { value: Math.exp(logarithm.value), low: Math.exp(logarithm.low), high: Math.exp(logarithm.high) },
    });
    yield;
  }
  return groups;
}

type Ratio = { sums: GenerationSums; events: number; demand: GenerationSums['organic']; isOf: (item: number) => boolean; items: number; left: number };

function logRatio({ sums, demand, events, isOf, items, left }: Ratio): number {
  const share = (values: Float64Array, one: number): number => {
    const spread = (one * items) / values.length;
    return values.reduce((sum, value, item) => sum + (isOf(item) ? value : 0), spread) / (total(values) + one);
  };
  const wanted = without(demand, left);
  return Math.log(share(without(sums.shown, left), 1) / share(wanted, total(wanted) / Math.max(1, events)));
}
