import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import type { LogSample } from '../../models/contracts/audit-measures.ts';
import { type CatalogItem, catalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { type Event, type EventKind, unitOf } from '../../models/contracts/event.ts';
import { parseInteraction } from '../../models/contracts/event-schemas.ts';
import { asUnderstudyError } from '../../models/contracts/problem.ts';
import { type SlateRecord, slateRecord } from '../../models/contracts/slate.ts';
import { dataState, windowManifest } from '../../models/contracts/window.ts';
import { bucketOf } from '../../models/slate/assign.ts';
import { getDocument } from '../../stores/blobs.ts';
import { type Context, readLatest } from '../context.ts';
import { text, withDuck } from '../events/duckdb.ts';

export type MeasureContext = Pick<Context, 'state'>;
/** Slates are of the time from `fromMs` to before `toMs`. `atMost`: slates that are held at once; and ten times as many events. */
export type MeasureInput = { surface: string; charter: Charter; fromMs: number; toMs: number; atMost?: number; signal: AbortSignal };

/** What is held of a slate: its history and its scores are not. */
export type SampledSlate = Pick<
  SlateRecord,
  'requestId' | 'unit' | 'atMs' | 'generation' | 'count' | 'artifact' | 'rung' | 'items' | 'propensities' | 'context' | 'segment'
> & {
  exploredSlots: readonly number[];
  /** Exploration could have put whatever is in scope into it. */
  isExplorable: boolean;
  /** Newest items of the history, and how many it had. */
  history: readonly string[];
  historyLength: number;
};
export type SampledLog = { sample: LogSample; slates: SampledSlate[]; events: Event[] };

const dayMs = 86_400_000;
export const recentDays = 30;

/** Slates of the last days whose rewards are known by now. */
export function recentLog({
  nowMs,
  days = recentDays,
  ...rest
}: Pick<MeasureInput, 'surface' | 'charter' | 'signal'> & { nowMs: number; days?: number }): MeasureInput {
  const toMs = nowMs - rest.charter.reward.attributionMs;
  return { ...rest, fromMs: Math.max(0, toMs - days * dayMs), toMs };
}

const slatesAtMost = 100_000;
const eventsASlate = 10;
const historyKept = 20;

/**
 * One pass over the logs of slates and of events. Of a log that holds more than fits, units are left out by their hash, with all that is theirs: so what is known of those that stay is whole,
 * and the same log gives the same sample. Slates come in the order of their time.
 * @param wanted kinds of events
 */
export async function sampleLog({ state }: MeasureContext, input: MeasureInput & { wanted: ReadonlySet<EventKind> }): Promise<SampledLog> {
  const { surface, charter, fromMs, toMs, atMost = slatesAtMost, wanted, signal } = input;
  const bucketOfUnit = (unit: string): number => bucketOf({ salt: 'audit', unit });
  let unitShare = 1;
  let damaged = 0;
  let slates = new Map<string, SampledSlate>();
  let events = new Map<string, Event>();
  const thin = (): void => {
    while (slates.size > atMost || events.size > eventsASlate * atMost) {
      unitShare /= 2;
      slates = new Map([...slates].filter(([, { unit }]) => bucketOfUnit(unit) < unitShare));
      events = new Map([...events].filter(([, event]) => bucketOfUnit(unitOf(event)) < unitShare));
    }
  };
  // Of the same ids there is one text each: a log has millions of them.
  const texts = new Map<string, string>();
  const one = (id: string): string => {
    const known = texts.get(id);
    if (known === undefined) texts.set(id, id);
    return known ?? id;
  };
  const scan = (stream: 'slates' | 'events', take: (record: unknown) => void) =>
    state.logReader(surface, stream).scan({
      take(record) {
        signal.throwIfAborted();
        take(record);
      },
      onDamaged: () => (damaged += 1),
      // What a segment was last written after cannot be in it.
      writtenSinceMs: fromMs,
    });
  await scan('slates', (record) => {
    const { atMs = 0, unit = '' } = record as Partial<SlateRecord>;
    if (atMs < fromMs || atMs >= toMs || bucketOfUnit(unit) >= unitShare) return;
    // One that nobody can read is no reason to say nothing of the others.
    const slate = slateRecord.safeParse(record).data;
    if (slate !== undefined) slates.set(slate.requestId, heldOf(slate, one));
    thin();
  });
  const scanEvents = wanted.size === 0 ? async () => undefined : scan;
  await scanEvents('events', (record) => {
    const { atMs = 0, kind } = record as Partial<Event>;
    if (kind === undefined || !wanted.has(kind) || atMs < fromMs || atMs >= toMs + charter.reward.attributionMs) return;
    const event = parseInteraction(record);
    if (event === undefined || bucketOfUnit(unitOf(event)) >= unitShare) return;
    events.set(event.eventId, event);
    thin();
  });
  const ordered = [...slates.values()].sort((a, b) => a.atMs - b.atMs || (a.requestId < b.requestId ? -1 : 1));
  const units = new Set(ordered.map(({ unit }) => unit)).size;
  return { sample: { fromMs, toMs, slates: ordered.length, units, unitShare, damaged }, slates: ordered, events: [...events.values()] };
}

function heldOf(slate: SlateRecord, one: (id: string) => string): SampledSlate {
  const { requestId, unit, atMs, generation, count, artifact, rung, items, propensities, context, segment, exploration, history } = slate;
  return {
    requestId,
    unit: one(unit),
    atMs,
    generation,
    count,
    artifact: artifact === null ? null : one(artifact),
    rung,
    items: items.map(one),
    propensities,
    context,
    segment,
    exploredSlots: exploration?.slots ?? [],
    isExplorable: exploration !== null && (exploration.floorItems === 0 || exploration.floorProbability > 0),
    history: history.slice(-historyKept).map(one),
    historyLength: history.length,
  };
}

/** Does all steps of a long computation, and lets whoever watches hear of it between them. */
export async function takeSteps<T>(steps: Generator<void, T, void>, signal: AbortSignal): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    signal.throwIfAborted();
    await nextTurn();
  }
}

/** The newest catalog of the surface; empty while it has no data. */
export async function newestCatalog({ state }: MeasureContext, surface: string): Promise<CatalogItem[]> {
  const data = (await readLatest(state.generations, `data/${surface}`, dataState))?.document;
  return data === undefined ? [] : getDocument(state.blobs, data.catalog, z.array(catalogItem));
}

/**
 * Events of each item in the data that an artifact was trained on.
 * @returns why it is not known, where the artifact or its data are gone
 */
export async function learnedPopularity(
  { state }: MeasureContext,
  { artifact, charter, signal }: { artifact: string; charter: Charter; signal: AbortSignal },
): Promise<Map<string, number> | { unknown: string }> {
  const kinds = Object.entries(charter.confidence).flatMap(([kind, weight]) => (weight > 0 ? [text(kind)] : []));
  try {
    const { window } = await getDocument(state.blobs, artifact, artifactManifest);
    const { trainSlices } = await getDocument(state.blobs, window, windowManifest);
    const paths = await Promise.all(trainSlices.filter(({ rows }) => rows > 0).map(({ digest }) => state.blobs.localPath(digest)));
    if (paths.length === 0 || kinds.length === 0) return new Map();
    const sql = `SELECT item_id AS item, count(*)::DOUBLE AS events FROM read_parquet([${paths.map(text).join(', ')}], union_by_name = true) WHERE kind IN (${kinds.join(', ')}) GROUP BY item_id`;
    const rows = await withDuck({ workDir: undefined, signal }, (duck) => duck.rows<{ item: string; events: number }>(sql));
    return new Map(rows.map(({ item, events }) => [item, events]));
  } catch (error) {
    signal.throwIfAborted();
    return { unknown: `what ${artifact.slice(0, 19)} was trained on cannot be read: ${asUnderstudyError(error).message}` };
  }
}
