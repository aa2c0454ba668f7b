import type { SessionCut } from '../../models/contracts/session.ts';
import type { SliceReference } from '../../models/contracts/window.ts';
import type { SessionDefinition } from '../../models/sessions/cut-between.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, withDuck } from '../events/duckdb.ts';
import { slicesSql } from '../events/event-columns.ts';
import { type Identity, mergeIdentities } from '../windows/identity.ts';
import { sessionizeInDuck } from './sessionize-sql.ts';

/** Values that occur: half of them, and 90 % of them, are no higher. */
export type Spread = { median: number; p90: number; max: number };

export type SessionSummary = {
  events: number;
  sessions: number;
  users: number;
  /** Client sessions of which no user is known; each is a unit of its own. */
  anonymous: number;
  eventsPerSession: Spread;
  /** From the first event to the last; 0 where there is one. */
  lengthMs: Spread;
  /** Share of sessions. */
  singleEvent: number;
  /** Of those who have any; null where no user is known. */
  sessionsPerUser: (Spread & { mean: number }) | null;
  /** How many sessions each reason began. */
  begunBy: Partial<Record<SessionCut, number>>;
  /** Sessions of `from` to `to` events; ranges end at powers of two. */
  histogram: { from: number; to: number; sessions: number }[];
};

type Input = SessionDefinition & {
  /** At least one. */
  slices: readonly SliceReference[];
  blobs: BlobStore;
  identity: Identity;
  workDir: string;
};

/** Cuts the events of all kinds in some slices into sessions and says what these are like; undefined where there are no events. */
export async function summarizeSessions({ slices, blobs, identity, workDir, ...definition }: Input): Promise<SessionSummary | undefined> {
  const paths: string[] = [];
  for (const { digest } of slices) paths.push(await blobs.localPath(digest));
  return withDuck({ workDir }, async (duck) => {
    await duck.run(`
      CREATE VIEW rows_of_slices AS
      SELECT event_id, coalesce('u:' || user_id, 's:' || session_id) AS unit, kind, session_id, device_id, at_ms FROM ${slicesSql(paths)}`);
    await duck.run(`CREATE TABLE events AS FROM rows_of_slices${(await holdsTwice(duck)) ? lastOfEachSql : ''}`);
    await mergeIdentities({ duck, identity, blobs });
    await sessionizeInDuck({ duck, relation: 'events', into: 'sessions', ...definition });
    return summarize(duck);
  });
}

/** Sources that were sent again under another name may hold an event twice: the later copy counts, as everywhere. */
const lastOfEachSql = ' QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY at_ms DESC, unit, kind, session_id) = 1';

async function holdsTwice(duck: Duck): Promise<boolean> {
  const [answer] = await duck.rows<{ twice: boolean }>('SELECT count(DISTINCT event_id) < count(*) AS twice FROM rows_of_slices');
  return answer?.twice === true;
}

const spreadSql = (value: string) =>
  `struct_pack(median := quantile_disc(${value}, .5)::DOUBLE, p90 := quantile_disc(${value}, .9)::DOUBLE, max := max(${value})::DOUBLE)`;

async function summarize(duck: Duck): Promise<SessionSummary | undefined> {
  const [whole] = await duck.rows<Omit<SessionSummary, 'sessionsPerUser' | 'begunBy' | 'histogram'>>(`
    SELECT coalesce(sum(events), 0)::DOUBLE AS events, count(*)::DOUBLE AS sessions, count(DISTINCT unit) FILTER (unit[1] = 'u')::DOUBLE AS users,
      count(DISTINCT unit) FILTER (unit[1] = 's')::DOUBLE AS anonymous, ${spreadSql('events')} AS "eventsPerSession",
      ${spreadSql('to_ms - from_ms')} AS "lengthMs", count(*) FILTER (events = 1) / count(*) AS "singleEvent"
    FROM sessions`);
  if (whole === undefined || whole.sessions === 0) return undefined;
  const [ofUsers] = await duck.rows<Spread & { mean: number }>(`
    SELECT avg(own)::DOUBLE AS mean, UNNEST(${spreadSql('own')}) FROM (SELECT count(*) AS own FROM sessions WHERE unit[1] = 'u' GROUP BY unit)`);
  const reasons = await duck.rows<{ reason: SessionCut; begun: number }>(
    'SELECT begun_by AS reason, count(*)::DOUBLE AS begun FROM sessions GROUP BY begun_by',
  );
  // Ranges 1, 2, 3-4, 5-8: one less than the number has as many binary digits as the end of its range is a power of two.
  const histogram = await duck.rows<SessionSummary['histogram'][number]>(`
    SELECT if(power = 0, 1, (1 << power - 1) + 1)::DOUBLE AS "from", (1 << power)::DOUBLE AS "to", count(*)::DOUBLE AS sessions
    FROM (SELECT if(events = 1, 0, length(bin(events - 1)))::INTEGER AS power FROM sessions) GROUP BY power ORDER BY power`);
  return {
    ...whole,
    sessionsPerUser: whole.users === 0 ? null : (ofUsers ?? null),
    begunBy: Object.fromEntries(reasons.map(({ reason, begun }) => [reason, begun])),
    histogram,
  };
}
