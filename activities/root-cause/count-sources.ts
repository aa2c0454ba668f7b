import type { EventRow } from '../../models/contracts/root-cause.ts';
import { type DataState, type IngestManifest, ingestManifest, logSource, type SliceReference } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { State } from '../context.ts';
import { withDuck } from '../events/duckdb.ts';
import { slicesSql } from '../events/event-columns.ts';
import { dayIn } from '../windows/days.ts';
import type { Unit } from './comparable-units.ts';
import { rowOf } from './count-events.ts';

type Input = {
  state: State;
  units: readonly Unit[];
  data: readonly DataState[];
  timeZone: string;
  atMs: number;
  signal: AbortSignal;
  beat: () => void;
};
type Found = { rows: EventRow[]; missing: string[] };
type Kind = { source: string; kind: string; rows: number; no_user: number; no_request: number; no_price: number };

/**
 * Events that came by files, by when they happened. A file comes days later: of each unit counts what was in the data as soon after its end as it is now after
 * the incident's.
 */
export async function countSources({ state, units, data, timeZone, atMs, signal, beat }: Input): Promise<Found> {
  const lagMs = Math.max(0, atMs - (units.at(-1)?.toMs ?? atMs));
  const rows = new Map<string, EventRow>();
  const missing = new Set<string>();
  const shifted = new Set<string>();
  await withDuck({ workDir: undefined, signal }, async (duck) => {
    for (const [unit, { fromMs, toMs }] of units.entries()) {
      const days = daysOf(timeZone, { fromMs, toMs });
      const slices = (data.findLast((one) => (one.atMs ?? 0) <= toMs + lagMs)?.slices ?? []).filter(
        ({ source, day, rows: held }) => source !== undefined && source !== logSource && held > 0 && days.has(day),
      );
      for (const { source, shiftDays } of slices) if ((shiftDays ?? 0) !== 0) shifted.add(source ?? '');
      for (const [source, own] of Map.groupBy(slices, (slice) => slice.source ?? '')) {
        const paths = await pathsOf(state, own);
        if (paths === undefined) {
          missing.add(`events of ${source}: slices of it are gone`);
          continue;
        }
        const counted = await duck.rows<Omit<Kind, 'source'>>(
          `SELECT kind, count(*)::DOUBLE AS rows, count(*) FILTER (user_id IS NULL)::DOUBLE AS no_user,
             count(*) FILTER (request_id IS NULL)::DOUBLE AS no_request, count(*) FILTER (unit_price_minor IS NULL)::DOUBLE AS no_price
           FROM ${slicesSql(paths)} WHERE at_ms >= ${fromMs} AND at_ms < ${toMs} GROUP BY kind ORDER BY kind`,
        );
        for (const one of counted) {
          const row = rowOf(rows, { unit, source, kind: one.kind });
          Object.assign(row, { accepted: one.rows, withoutUser: one.no_user, withoutRequest: one.no_request, withoutPrice: one.no_price });
        }
      }
      beat();
    }
  });
  for (const source of shifted) missing.add(`events of ${source} are as old as their file says, moved by whole weeks`);
  await addFates({ state, units, data, timeZone, rows, missing, lagMs });
  return { rows: [...rows.values()], missing: [...missing] };
}

function daysOf(timeZone: string, { fromMs, toMs }: { fromMs: number; toMs: number }): Set<string> {
  return new Set([dayIn(timeZone, fromMs), dayIn(timeZone, toMs - 1)]);
}

async function pathsOf({ blobs }: State, slices: readonly SliceReference[]): Promise<string[] | undefined> {
  return Promise.all(slices.map(({ digest }) => blobs.localPath(digest))).catch(() => undefined);
}

type Fates = Pick<Input, 'state' | 'units' | 'data' | 'timeZone'> & { rows: Map<string, EventRow>; missing: Set<string>; lagMs: number };

/** What an ingest put aside or knew already; the unit of the last day that it brought has it. */
async function addFates({ state, units, data, timeZone, rows, missing, lagMs }: Fates): Promise<void> {
  const lastDays = units.map(({ toMs }) => dayIn(timeZone, toMs - 1));
  for (const digest of new Set(data.map(({ ingest }) => ingest))) {
    const manifest = await readManifest(state, digest);
    if (manifest === undefined) missing.add('what some ingests put aside: their manifests are gone');
    else if (manifest.source.name !== logSource && manifest.replays === undefined) {
      const unit = lastDays.indexOf(
        manifest.slices
          .map(({ day }) => day)
          .sort()
          .at(-1) ?? dayOfIngest(data, digest, timeZone),
      );
      const cameMs = data.find((one) => one.ingest === digest)?.atMs ?? 0;
      if (unit < 0 || cameMs > (units[unit] as Unit).toMs + lagMs) continue;
      const { name: source } = manifest.source;
      for (const { kind, share } of kindsOf(rows.values(), source)) {
        const row = rowOf(rows, { unit, source, kind });
        row.duplicates += manifest.counts.duplicates * share;
        row.quarantined += manifest.counts.quarantined * share;
      }
    }
  }
}

/** A manifest does not say of which kinds they were: of those of the source, as they are as a rule. */
function kindsOf(rows: Iterable<EventRow>, source: string): { kind: string; share: number }[] {
  const sums = new Map<string, number>();
  for (const row of rows) if (row.source === source) sums.set(row.kind, (sums.get(row.kind) ?? 0) + row.accepted);
  const whole = [...sums.values()].reduce((sum, one) => sum + one, 0);
  return whole === 0 ? [{ kind: 'any', share: 1 }] : [...sums].map(([kind, sum]) => ({ kind, share: sum / whole }));
}

/** A file all of whose rows were put aside has no day but that on which it came. */
function dayOfIngest(data: readonly DataState[], digest: string, timeZone: string): string {
  const atMs = data.find(({ ingest }) => ingest === digest)?.atMs;
  return atMs === undefined ? '' : dayIn(timeZone, atMs);
}

const readManifest = ({ blobs }: State, digest: string): Promise<IngestManifest | undefined> =>
  getDocument(blobs, digest, ingestManifest).catch(() => undefined);
