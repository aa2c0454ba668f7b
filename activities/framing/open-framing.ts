import type { Charter } from '../../models/contracts/charter.ts';
import { type EventKind, eventKinds } from '../../models/contracts/event.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { sessionRules } from '../../models/contracts/session.ts';
import type { DataState } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, text, withDuck } from '../events/duckdb.ts';
import { daySql } from '../events/write-slices.ts';
import { openSlices } from '../features/open-events.ts';
import { sessionizeInDuck } from '../sessions/sessionize-sql.ts';
import { addDays, daysBetween } from '../windows/days.ts';
import { identityOfAll, keepAllowed, mergeIdentities } from '../windows/identity.ts';

/** What of a charter says how the data are to be read: who is who, which day it is; and what a check asks for that was told nothing else. */
export type FramingSettings = Pick<Charter, 'timeZone' | 'identity' | 'consent' | 'sessions' | 'window' | 'confidence' | 'reward'>;
export type Days = { from: string; to: string };

export type FramingInput = {
  data: DataState;
  /** The days that are looked at. */
  days: Days;
  settings: FramingSettings;
  blobs: BlobStore;
  workDir: string;
  signal?: AbortSignal | undefined;
};

/**
 * The events of some days, opened for checks. Table `merged`: most columns of a slice, each event once, its `day` where the surface is, and `unit`, as
 * `unitOf` writes it, what came without a user given to the one whose it is; `has_user`: it came with one. Who does not allow training is left out.
 */
export type Framing = {
  duck: Duck;
  data: DataState;
  blobs: BlobStore;
  days: Days;
  settings: FramingSettings;
  /** Makes the table `sessions` (see `sessionizeInDuck`) by the charter's rules; once. */
  sessions(): Promise<void>;
  /** Makes the table `split_train`, `merged` of the train part alone, by what could be known at its end, and says which days are tested; null where there are too few days. */
  split(window: SplitDays): Promise<{ test: Days } | null>;
};
export type SplitDays = { trainDays: number; gapDays: number; testDays: number };

/** The newest days of the data that hold events, `atMost` of them. @throws UND-NO-DATA */
export function newestDays(data: DataState, atMost: number): Days {
  const held = data.slices.filter(({ rows }) => rows > 0);
  const [first, last] = [held[0]?.day, held.at(-1)?.day];
  if (first === undefined || last === undefined) throw noEvents(data.surface);
  return { from: later(addDays(last, 1 - atMost), first), to: last };
}

/** Of two days, written YYYY-MM-DD. */
export const later = (one: string, other: string): string => [one, other].sort()[1] as string;

/** Opens the events, gives them to `use` and closes them whatever happens. @throws UND-NO-DATA where the days hold none */
export async function withFraming<T>({ data, days, settings, blobs, workDir, signal }: FramingInput, use: (framing: Framing) => Promise<T>): Promise<T> {
  const slices = data.slices.filter(({ day, rows }) => rows > 0 && day >= days.from && day <= days.to);
  return withDuck({ workDir, signal }, async (duck) => {
    if (!(await openSlices({ duck, slices, blobs }))) throw noEvents(data.surface);
    await duck.run(`
      CREATE TABLE dated AS
      SELECT event_id, coalesce('u:' || user_id, 's:' || session_id) AS unit, user_id IS NOT NULL AS has_user, session_id, device_id, item_id, kind, at_ms,
        quantity, unit_price_minor, dwell_ms, received_ms, ${daySql(settings.timeZone)} AS day
      FROM events`);
    const table = async (into: string, range: Days) => {
      const own = slices.filter(({ day }) => day >= range.from && day <= range.to);
      const changes = (data.changes ?? []).filter(({ day }) => day <= range.to);
      const identity = { ...identityOfAll({ data: { slices: own, changes }, charter: settings }), consents: data.changes ?? [] };
      await duck.run(`CREATE OR REPLACE TABLE ${into} AS FROM dated WHERE day BETWEEN ${text(range.from)} AND ${text(range.to)}`);
      await asEvents(duck, into, async () => {
        await mergeIdentities({ duck, identity, blobs });
        await keepAllowed({ duck, identity, blobs, purpose: 'training' });
      });
    };
    await duck.run(`DROP ${(await isView(duck)) ? 'VIEW' : 'TABLE'} events`);
    await table('merged', days);
    let isCut = false;
    let splitAt = '';
    return use({
      ...{ duck, data, blobs, days, settings },
      async sessions() {
        if (isCut) return;
        const rules = settings.sessions ?? sessionRules.parse({});
        await sessionizeInDuck({ duck, relation: 'merged', into: 'sessions', rules, timeZone: settings.timeZone });
        isCut = true;
      },
      async split({ trainDays, gapDays, testDays }) {
        if (daysBetween(days.from, days.to) + 1 < trainDays + gapDays + testDays) return null;
        const test = { from: addDays(days.to, 1 - testDays), to: days.to };
        const to = addDays(test.from, -gapDays - 1);
        const train = { from: addDays(to, 1 - trainDays), to };
        const wanted = `${train.from} ${train.to}`;
        if (splitAt !== wanted) await table('split_train', train);
        splitAt = wanted;
        return { test };
      },
    });
  });
}

/** Lends a table to what works on one named `events`. */
async function asEvents(duck: Duck, table: string, use: () => Promise<void>): Promise<void> {
  await duck.run(`ALTER TABLE ${table} RENAME TO events`);
  await use();
  await duck.run('DROP TABLE IF EXISTS consent_words');
  await duck.run(`ALTER TABLE events RENAME TO ${table}`);
}

async function isView(duck: Duck): Promise<boolean> {
  const [row] = await duck.rows<{ any: boolean }>(`SELECT count(*) > 0 AS "any" FROM duckdb_views() WHERE view_name = 'events'`);
  return row?.any === true;
}

/** Kinds that say that somebody wanted something: those with a confidence. */
export function wantKinds(confidence: Charter['confidence']): EventKind[] {
  return eventKinds.filter((kind) => kind !== 'return' && (confidence[kind] ?? 0) > 0);
}

const noEvents = (surface: string) => new UnderstudyError('UND-NO-DATA', `${surface} has no events yet: run \`understudy ingest\` first`);
