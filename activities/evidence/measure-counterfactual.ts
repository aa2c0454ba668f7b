import { setImmediate as nextTurn } from 'node:timers/promises';
import { estimationSteps } from '../../experiments/counterfactual/estimate-counterfactual.ts';
import type { LoggedSlate } from '../../experiments/counterfactual/logged-slate.ts';
import { attributeReward } from '../../experiments/reward/attribute-reward.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { CounterfactualResult } from '../../models/contracts/counterfactual.ts';
import type { Event, EventKind } from '../../models/contracts/event.ts';
import { parseInteraction } from '../../models/contracts/event-schemas.ts';
import { type SlateRecord, slateRecord } from '../../models/contracts/slate.ts';
import { arrangementDepth } from '../../models/slate/arrange.ts';
import type { SlotPropensities } from '../../models/slate/explore.ts';
import type { LogReader, SealedSegment } from '../../stores/event-log.ts';
import type { State } from '../context.ts';
import type { LogSegments } from '../release/seal-log.ts';
import { itemGroups } from './item-groups.ts';
import { type Ranker, openRanker } from './ranker.ts';
import { openReplayGuard } from './replay-guard.ts';
import { slateMaker } from './slate-maker.ts';
import { siftSlates } from './sift-slates.ts';

type Input = {
  charter: Charter;
  catalog: readonly CatalogItem[];
  candidate: string;
  champion: string;
  segments: string;
  sinceGeneration: number;
  /** What was sent before is in the data that one of the two was trained on: it would be scored on what it has seen. */
  trainedUntilMs: number;
  seed: number;
  allowed: (itemId: string) => boolean;
  beat: () => void;
};

/** Success metrics that are foretold besides the charter's reward. */
const indicators = ['click', 'add-to-cart', 'purchase'] as const satisfies readonly EventKind[];

/** Null with its reason where no slate of the log can tell. */
export type Measured = { result: CounterfactualResult; absent: null } | { result: null; absent: string };

/**
 * Replays logged requests through both artifacts and estimates what each would have earned. A rehearsal passes the generation that put the challenger's
 * items into the exploration pool: before it they could hardly be shown.
 */
export async function measureCounterfactual(state: State, input: Input): Promise<Measured> {
  const { charter, beat } = input;
  const segments = JSON.parse(Buffer.from(await state.blobs.get(input.segments)).toString('utf8')) as LogSegments;
  const surface = segments.surface;
  const records = await newest(state.logReader(surface, 'slates'), {
    segments: segments.slates,
    atMost: charter.gates.maxReplayedSlates,
    sinceGeneration: input.sinceGeneration,
    beat,
  });
  if (records.length === 0) return { result: null, absent: 'the log holds no slate yet' };
  const since = records[0]?.atMs ?? 0;
  const events: Event[] = [];
  const telling = (kind: EventKind) => kind === 'impression' || (indicators as readonly EventKind[]).includes(kind) || (charter.reward.weights[kind] ?? 0) > 0;
  for await (const one of state.logReader(surface, 'events').read(segments.events)) {
    const { atMs, kind } = one as Event;
    const event = atMs >= since && telling(kind) ? parseInteraction(one) : undefined;
    if (event !== undefined) events.push(event);
  }
  const { usable, voidedBy } = siftSlates(records, input);
  if (usable.length === 0) {
    const why = Object.entries(voidedBy).map(([reason, count]) => `${count}: ${reason}`);
    return { result: null, absent: `none of ${records.length} slates can tell (${why.join('; ')})` };
  }
  const outcomes = outcomesOf({ records, events, reward: charter.reward });
  const guard = openReplayGuard(state, input);
  const slateOf = slateMaker({ charter, catalog: input.catalog });
  const rankers = await Promise.all([input.candidate, input.champion].map((artifact) => openRanker(state, { artifact, allowed: input.allowed })));
  const [candidate, champion] = rankers as [Ranker, Ranker];
  try {
    const log: LoggedSlate[] = [];
    for (const [number, { record, slots }] of usable.entries()) {
      const among = await guard(record);
      const request = {
        ...(among === undefined ? {} : { among }),
        history: record.history,
        historyWeights: record.historyWeights,
        exclude: record.excluded,
        count: arrangementDepth({ ...charter, size: charter.slate.size }),
      };
      // Both answer as if the groups had been owed what they were: it depends on what was shown before, not on what is estimated here.
      const shownBy = async (ranker: Ranker) => slateOf(await ranker.rank(request), record.deficits);
      const answers = { candidate: await shownBy(candidate), champion: await shownBy(champion) };
      log.push({ ...loggedSlateOf(record, slots), ...outcomes(record), known: new Set(record.history), ...answers });
      if (number % 200 === 0) beat();
    }
    const { logLimits, minEffectiveSampleSize } = charter.gates;
    const steps = estimationSteps({
      log,
      voidedBy,
      size: charter.slate.size,
      maxReward: charter.reward.capPerUnit,
      limits: { ...logLimits, minEffectiveSampleSize },
      seed: input.seed,
      group: itemGroups(input.catalog),
    });
    // Whoever watches this work must hear of it meanwhile.
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) {
      beat();
      await nextTurn();
    }
    const seen = new Set(events.flatMap(({ kind, requestId }) => (kind === 'impression' && requestId !== undefined ? [requestId] : [])));
    const impressed = usable.filter(({ record }) => seen.has(record.requestId)).length / usable.length;
    return { result: { ...step.value, impressed }, absent: null };
  } finally {
    await Promise.all(rankers.map((ranker) => ranker.close()));
  }
}

/** Whoever bought after a slate that cannot be used bought after that one: all slates take part in the attribution. */
function outcomesOf({ records, events, reward }: { records: readonly SlateRecord[]; events: readonly Event[]; reward: Charter['reward'] }) {
  const bySlate = attributeReward({ slates: records, events, reward }).bySlate;
  const byIndicator = indicators.map((kind) => {
    const counted = { ...reward, weights: { [kind]: 1 }, capPerUnit: 1 };
    return [kind, attributeReward({ slates: records, events, reward: counted }).bySlate] as const;
  });
  const engagements = new Set(events.filter((one) => one.kind === 'click' && one.requestId !== undefined).map((one) => `${one.requestId}\n${one.itemId}`));
  return ({ requestId, items }: SlateRecord): Pick<LoggedSlate, 'rewards' | 'kpis' | 'engaged'> => ({
    rewards: bySlate.get(requestId) ?? [],
    kpis: Object.fromEntries(byIndicator.map(([kind, found]) => [kind, found.get(requestId) ?? []])),
    engaged: items.map((itemId) => engagements.has(`${requestId}\n${itemId}`)),
  });
}

function loggedSlateOf(record: SlateRecord, slots: SlotPropensities) {
  const { baseItems: base = [], poolItems: pool = [], slots: exploredSlots = [] } = record.exploration ?? {};
  // The uniform floor is for discovery: too thin to carry an estimate, it does not count as support.
  const supported = new Set([...base, ...pool]);
  return {
    unit: record.unit,
    items: record.items,
    base,
    pool,
    exploredSlots,
    propensity: (itemId: string, slot: number) => (supported.has(itemId) ? slots.marginal(itemId, slot) : 0),
    prefix: (items: readonly string[]) => {
      const without = items.findIndex((item) => !supported.has(item));
      return slots.prefix(without < 0 ? items : items.slice(0, without));
    },
  };
}

type Newest = { segments: readonly SealedSegment[]; atMost: number; sinceGeneration: number; beat: () => void };

/** Oldest first. Segments of one writer follow each other in time, so each writer's are read from the last one backwards, as many as are needed. */
async function newest(reader: LogReader, { segments, atMost, sinceGeneration, beat }: Newest): Promise<SlateRecord[]> {
  const byWriter = Map.groupBy(segments, ({ name }) => name.slice(0, name.lastIndexOf('-')));
  const records: SlateRecord[] = [];
  for (const written of byWriter.values()) {
    let found = 0;
    for (const segment of written.toReversed()) {
      if (found >= atMost) break;
      let taken = 0;
      for await (const one of reader.read([segment])) {
        if (((one as Partial<SlateRecord>).generation ?? 0) < sinceGeneration) continue;
        records.push(slateRecord.parse(one));
        taken += 1;
        if (records.length % 1000 === 0) beat();
      }
      found += taken;
      // What is older is of earlier generations still.
      if (taken === 0 && sinceGeneration > 0) break;
    }
  }
  return records.sort((a, b) => a.atMs - b.atMs || (a.requestId < b.requestId ? -1 : 1)).slice(-atMost);
}
