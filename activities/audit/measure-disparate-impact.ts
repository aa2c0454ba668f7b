import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ImpactUnit, impactSteps } from '../../experiments/fairness/disparate-impact.ts';
import { longTail } from '../../experiments/ranking/catalog.ts';
import { measureUser, rankingMetrics } from '../../experiments/ranking/metrics.ts';
import { segmentUsers } from '../../experiments/ranking/segments.ts';
import { RewardLedger } from '../../experiments/reward/attribute-reward.ts';
import { type ImpactReport, impactReport } from '../../models/contracts/audit-measures.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { type Event, type EventKind, unitOf } from '../../models/contracts/event.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { itemWords, wordDistance } from '../../models/slate/item-words.ts';
import { learnedPopularity, type MeasureContext, type MeasureInput, newestCatalog, type SampledSlate, sampleLog, takeSteps } from './measure-log.ts';

/** Whoever watches this work must hear of it meanwhile. */
const unitsOfStep = 1000;

type Facts = { charter: Charter; distance: (one: string, other: string) => number; tail: ReadonlySet<string> | null };

/**
 * What groups of users got from a surface's slates, whoever answered them: a figure a unit, from the logs alone.
 * - `reward`: of a slate by the charter, capped as there for a unit; the mean of the unit's slates, so that whoever comes more often does not for that have more of it;
 * - `ndcg`: of each slate against what the unit had within the attribution time behind it, by the slate or without it; the mean. Units that had nothing have none. What is shown is had more
 *   easily, so this is no substitute for an evaluation offline; between groups it is the same bias;
 * - `diversity`: mean distance of a slate's items by their words;
 * - `longTailShare`: of the items shown, those outside the head of what the newest model learned from.
 * Groups: `country`, `device` and `segment` of the unit's oldest slate that is looked at, how long its history was then (`events`) and of which category mostly (`category`), as the charter's
 * `evaluation.segments` say. The oldest, since what slates bring makes histories longer, and strangers known: groups by what came of them would differ whatever the slates are.
 * @param by these of them alone, so that the intervals of fewer groups must hold together
 * @throws UND-LOG-UNAVAILABLE where the logs cannot be read; UND-INPUT where nothing tells users apart by that
 */
export async function measureDisparateImpact(context: MeasureContext, input: MeasureInput & { by?: readonly string[] | undefined }): Promise<ImpactReport> {
  const { surface, charter, signal, by } = input;
  const wanted = new Set(Object.entries(charter.reward.weights).flatMap(([kind, weight]) => (weight > 0 ? [kind as EventKind] : [])));
  const { sample, slates, events } = await sampleLog(context, { ...input, wanted });
  const catalog = await newestCatalog(context, surface);
  const notes: string[] = [];
  const tail = await tailOf(context, { charter, slates, catalog, signal, notes });
  const words = itemWords(catalog);
  const facts: Facts = { charter, tail, distance: (one, other) => wordDistance(words.get(one), words.get(other)) };
  const ledger = new RewardLedger(charter.reward);
  for (const slate of slates) ledger.addSlate(slate);
  for (const event of events) ledger.addEvent(event);
  const eventsOf = Map.groupBy(events, unitOf);
  const byUnit = [...Map.groupBy(slates, ({ unit }) => unit)];
  const groupsOf = grouping(
    charter,
    catalog,
    byUnit.map(([, own]) => own[0] as SampledSlate),
  );
  const rewards = ledger.bySlate();
  const rewardOf = ({ requestId }: SampledSlate): number => {
    const bySlot = rewards.get(requestId) ?? new Float64Array();
    return Math.min(
      charter.reward.capPerUnit,
      bySlot.reduce((sum, one) => sum + one, 0),
    );
  };
  const units: ImpactUnit[] = [];
  for (const [place, [unit, own]] of byUnit.entries()) {
    const reward = own.reduce((sum, slate) => sum + rewardOf(slate), 0) / own.length;
    const figures = { ...slateFigures(own, eventsOf.get(unit) ?? [], facts), reward: Math.min(charter.reward.capPerUnit, reward) };
    units.push({ figures, groups: groupsOf(own[0] as SampledSlate, place) });
    if (place % unitsOfStep === unitsOfStep - 1) await nextTurn();
  }
  const told = [...new Set(units.flatMap(({ groups }) => Object.keys(groups)))].sort();
  const unknown = by?.filter((column) => !told.includes(column)) ?? [];
  if (units.length > 0 && unknown.length > 0)
    throw new UnderstudyError('UND-INPUT', `Nothing tells users apart by ${unknown.join(', ')}; there are ${told.length === 0 ? 'none' : told.join(', ')}`);
  const columns = by === undefined ? told : [...new Set(by)].sort();
  const measures = ['ndcg', 'diversity', 'longTailShare'].map((name) => ({ name, most: 1 }));
  const steps = impactSteps({
    units,
    measures: [...measures, { name: 'reward', most: charter.reward.capPerUnit }],
    columns,
    minUnits: charter.evaluation.minSegmentUsers,
    seed: charter.seed,
  });
  const impact = await takeSteps(steps, signal);
  return impactReport.parse({ kind: 'disparate-impact', surface, sample, notes, impact });
}

type Tail = { charter: Charter; slates: readonly SampledSlate[]; catalog: readonly CatalogItem[]; signal: AbortSignal; notes: string[] };

async function tailOf(context: MeasureContext, { charter, slates, catalog, signal, notes }: Tail): Promise<Set<string> | null> {
  const artifact = slates.findLast((slate) => slate.artifact !== null)?.artifact;
  const popularity = artifact == null ? { unknown: 'no slate is by a model' } : await learnedPopularity(context, { artifact, charter, signal });
  if (!(popularity instanceof Map)) {
    notes.push(`the long tail is not known: ${popularity.unknown}`);
    return null;
  }
  const itemIds = [...new Set([...catalog.map(({ itemId }) => itemId), ...popularity.keys()])];
  const tail = longTail(itemIds.map((itemId) => popularity.get(itemId) ?? 0));
  return new Set(itemIds.filter((_, item) => tail[item] === 1));
}

function slateFigures(slates: readonly SampledSlate[], events: readonly Event[], { charter, distance, tail }: Facts): ImpactUnit['figures'] {
  const [ndcg, diversity, tails]: [number[], number[], number[]] = [[], [], []];
  const values = new Float64Array(rankingMetrics.length);
  for (const { items, atMs } of slates) {
    const wanted = new Set(events.filter((event) => event.atMs >= atMs && event.atMs - atMs <= charter.reward.attributionMs).map(({ itemId }) => itemId));
    if (wanted.size > 0) {
      measureUser({ list: items, wanted, cutoffs: [charter.slate.size], values });
      ndcg.push(values[rankingMetrics.indexOf('ndcg')] as number);
    }
    if (items.length > 1) {
      const pairs = items.flatMap((one, place) => items.slice(place + 1).map((other) => distance(one, other)));
      diversity.push(meanOf(pairs) as number);
    }
    if (tail !== null && items.length > 0) tails.push(items.filter((item) => tail.has(item)).length / items.length);
  }
  return { ndcg: meanOf(ndcg), diversity: meanOf(diversity), longTailShare: meanOf(tails) };
}

/** Within 0 and 1, whatever rounding does. */
const meanOf = (values: readonly number[]): number | null =>
  values.length === 0 ? null : Math.min(1, Math.max(0, values.reduce((sum, one) => sum + one, 0) / values.length));

/** Groups of a unit, by its oldest slate. What is not known of a unit puts it into no group. */
function grouping(charter: Charter, catalog: readonly CatalogItem[], oldest: readonly SampledSlate[]) {
  const categories = new Map(catalog.map(({ itemId, category }) => [itemId, category]));
  const told = charter.evaluation.segments.filter(({ by }) => by === 'events' || by === 'category');
  const users = oldest.map(({ history, historyLength }) => {
    const times = new Map<string, number>();
    for (const itemId of history) {
      const category = categories.get(itemId);
      if (category !== undefined) times.set(category, (times.get(category) ?? 0) + 1);
    }
    const most = [...times].sort(([one, a], [other, b]) => b - a || (one < other ? -1 : 1))[0]?.[0] ?? null;
    return { events: historyLength, daysSinceFirst: null, daysSinceLast: null, category: most };
  });
  const { segments, ofUser } = segmentUsers({ segmentations: told, users });
  return ({ context, segment }: SampledSlate, unit: number): Record<string, string> => {
    const own: Record<string, string> = {};
    if (context?.country !== undefined) own.country = context.country;
    if (context?.device !== undefined) own.device = context.device;
    if (segment !== undefined) own.segment = segment;
    for (const place of ofUser[unit] ?? []) {
      const one = segments[place];
      if (one !== undefined) own[one.by] = one.value;
    }
    return own;
  };
}
