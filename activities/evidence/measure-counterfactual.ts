import { type LoggedSlate, estimateCounterfactual } from '../../experiments/counterfactual/estimate-counterfactual.ts';
import { attributeReward } from '../../experiments/reward/attribute-reward.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { type Event, type EventKind, event as eventSchema } from '../../models/contracts/event.ts';
import type { CounterfactualResult } from '../../models/contracts/report.ts';
import { type SlateRecord, slateRecord } from '../../models/contracts/slate.ts';
import { slotPropensities } from '../../models/slate/explore.ts';
import type { LogReader, SealedSegment } from '../../stores/event-log.ts';
import type { State } from '../context.ts';
import type { LogSegments } from '../release/seal-log.ts';
import { type Ranker, openRanker } from './ranker.ts';

type Input = {
  charter: Charter;
  candidate: string;
  champion: string;
  segments: string;
  sinceGeneration: number;
  seed: number;
  allowed: (itemId: string) => boolean;
  beat: () => void;
};

/**
 * Replays logged requests through both artifacts and estimates what each would have earned. Null when no slate of the log can tell: it has none, or none
 * that is older than the attribution time. A
 * rehearsal passes the generation that put the challenger's items into the exploration pool: before it they could hardly be shown.
 */
export async function measureCounterfactual(state: State, input: Input): Promise<CounterfactualResult | null> {
  const { charter, beat } = input;
  const segments = JSON.parse(Buffer.from(await state.blobs.get(input.segments)).toString('utf8')) as LogSegments;
  const surface = segments.surface;
  const records = await newest(state.logReader(surface, 'slates'), {
    segments: segments.slates,
    atMost: charter.gates.maxReplayedSlates,
    sinceGeneration: input.sinceGeneration,
    beat,
  });
  if (records.length === 0) return null;
  const since = records[0]?.atMs ?? 0;
  const events: Event[] = [];
  const telling = (kind: EventKind) => kind === 'click' || (charter.reward.weights[kind] ?? 0) > 0;
  for await (const one of state.logReader(surface, 'events').read(segments.events)) {
    const { atMs, kind } = one as Event;
    if (atMs >= since && telling(kind)) events.push(eventSchema.parse(one));
  }
  // Whoever bought after a slate that cannot be used bought after that one: all slates take part in the attribution.
  const { bySlate } = attributeReward({ slates: records, events, reward: charter.reward });
  // The log's own end is the clock, so that the same log gives the same estimate at any time.
  const endMs = records.at(-1)?.atMs ?? 0;
  const ripe = (record: SlateRecord) => endMs - record.atMs > charter.reward.attributionMs;
  const usable = records.filter(
    (record) => ripe(record) && record.exploration !== null && record.propensities !== null && record.items.length === charter.slate.size,
  );
  if (usable.length === 0) return null;
  const engagements = new Set(events.filter((one) => one.kind === 'click' && one.requestId !== undefined).map((one) => `${one.requestId}\n${one.itemId}`));
  const rankers = await Promise.all([input.candidate, input.champion].map((artifact) => openRanker(state, { artifact, allowed: input.allowed })));
  const [candidate, champion] = rankers as [Ranker, Ranker];
  try {
    const log: LoggedSlate[] = [];
    for (const [number, record] of usable.entries()) {
      log.push(await replay(record, { candidate, champion, size: charter.slate.size, rewards: bySlate.get(record.requestId) ?? [], engagements }));
      if (number % 200 === 0) beat();
    }
    return estimateCounterfactual({
      log,
      voided: records.length - usable.length,
      size: charter.slate.size,
      maxReward: charter.reward.capPerUnit,
      minEffectiveSampleSize: charter.gates.minEffectiveSampleSize,
      seed: input.seed,
    });
  } finally {
    await Promise.all(rankers.map((ranker) => ranker.close()));
  }
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

type Replay = { candidate: Ranker; champion: Ranker; size: number; rewards: ArrayLike<number>; engagements: ReadonlySet<string> };

async function replay(record: SlateRecord, { candidate, champion, size, rewards, engagements }: Replay): Promise<LoggedSlate> {
  const { exploration } = record;
  if (exploration === null) throw new TypeError('replay needs a slate with exploration');
  const request = { history: record.history, historyWeights: record.historyWeights, exclude: record.excluded, count: size };
  const slots = slotPropensities({ exploration, size });
  // The uniform floor is for discovery: too thin to carry an estimate, it does not count as support.
  const supported = new Set([...exploration.baseItems, ...exploration.poolItems]);
  return {
    unit: record.unit,
    items: record.items,
    rewards,
    engaged: record.items.map((itemId) => engagements.has(`${record.requestId}\n${itemId}`)),
    base: exploration.baseItems,
    exploredSlots: exploration.slots,
    propensity: (itemId, slot) => (supported.has(itemId) ? slots.marginal(itemId, slot) : 0),
    candidate: await candidate.rank(request),
    champion: await champion.rank(request),
  };
}
