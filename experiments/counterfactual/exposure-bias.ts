import type { ExposureBias } from '../../models/contracts/counterfactual.ts';
import type { LoggedSlate } from './logged-slate.ts';

/** Groups that are listed; what is less shown is told together. */
const groupsAtMost = 12;

type Sums = { items: Set<string>; exposure: number; engagements: number; drawn: number; drawnEngagements: number };

/**
 * Who is shown, and who is wanted: exposure (examination of the slots that showed a group) against engagement, by item group and over items. Engagement
 * by what exploration drew is free of the choice of the model; its rate beside the group's own shows what position and choice do (Chen, Dong, Wang,
 * Feng, Wang and He, "Bias and debias in recommender system", TOIS 2023, sec. 3).
 */
export function exposureBias({
  log,
  examination,
  group,
}: {
  log: readonly Pick<LoggedSlate, 'items' | 'engaged' | 'exploredSlots'>[];
  examination: Float64Array;
  group: (itemId: string) => string;
}): ExposureBias {
  const groups = new Map<string, Sums>();
  const items = new Map<string, { exposure: number; engagements: number }>();
  for (const slate of log)
    for (const [slot, item] of slate.items.entries()) {
      const examined = examination[slot] ?? 0;
      const engaged = slate.engaged[slot] === true ? 1 : 0;
      const ofGroup = groups.get(group(item)) ?? { items: new Set<string>(), exposure: 0, engagements: 0, drawn: 0, drawnEngagements: 0 };
      groups.set(group(item), ofGroup);
      ofGroup.items.add(item);
      ofGroup.exposure += examined;
      ofGroup.engagements += engaged;
      if (slate.exploredSlots.includes(slot)) {
        ofGroup.drawn += examined;
        ofGroup.drawnEngagements += engaged;
      }
      const ofItem = items.get(item) ?? { exposure: 0, engagements: 0 };
      items.set(item, { exposure: ofItem.exposure + examined, engagements: ofItem.engagements + engaged });
    }
  const sorted = [...groups].sort(([nameA, a], [nameB, b]) => b.exposure - a.exposure || (nameA < nameB ? -1 : 1));
  const shown = sorted.slice(0, groupsAtMost);
  const rest = sorted.slice(groupsAtMost).map(([, one]) => one);
  if (rest.length > 0) shown.push(['(others)', together(rest)]);
  const exposure = shown.reduce((sum, [, one]) => sum + one.exposure, 0);
  const engagements = shown.reduce((sum, [, one]) => sum + one.engagements, 0);
  const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
  return {
    items: items.size,
    rankCorrelation: spearman([...items.values()].map((one) => [one.exposure, one.engagements])),
    groups: shown.map(([name, one]) => ({
      group: name,
      items: one.items.size,
      exposureShare: share(one.exposure, exposure),
      engagementShare: share(one.engagements, engagements),
      rate: one.exposure === 0 ? null : one.engagements / one.exposure,
      rateWhenDrawn: one.drawn === 0 ? null : one.drawnEngagements / one.drawn,
    })),
  };
}

function together(all: readonly Sums[]): Sums {
  const sum: Sums = { items: new Set(all.flatMap((one) => [...one.items])), exposure: 0, engagements: 0, drawn: 0, drawnEngagements: 0 };
  for (const one of all) for (const key of ['exposure', 'engagements', 'drawn', 'drawnEngagements'] as const) sum[key] += one[key];
  return sum;
}

/** Spearman's rank correlation, ties with their mean rank; null where one side has no spread. */
export function spearman(pairs: readonly (readonly [number, number])[]): number | null {
  const [a, b] = [ranks(pairs.map(([one]) => one)), ranks(pairs.map(([, other]) => other))];
  const mean = (pairs.length + 1) / 2;
  let [covariance, varianceA, varianceB] = [0, 0, 0];
  for (let index = 0; index < pairs.length; index += 1) {
    const [x, y] = [(a[index] as number) - mean, (b[index] as number) - mean];
    covariance += x * y;
    varianceA += x * x;
    varianceB += y * y;
  }
  return varianceA === 0 || varianceB === 0 ? null : covariance / Math.sqrt(varianceA * varianceB);
}

function ranks(values: readonly number[]): Float64Array {
  const order = values.map((_, index) => index).sort((one, other) => (values[one] as number) - (values[other] as number));
  const found = new Float64Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to] as number] === values[order[from] as number]) to += 1;
    for (let place = from; place < to; place += 1) found[order[place] as number] = (from + to + 1) / 2;
    from = to;
  }
  return found;
}
