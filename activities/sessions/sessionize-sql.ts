import type { SessionDefinition } from '../../models/sessions/cut-between.ts';
import { type Duck, text } from '../events/duckdb.ts';

type Input = SessionDefinition & {
  duck: Duck;
  /** Table or view: `unit`, `event_id`, `kind`, `session_id` VARCHAR, `at_ms` BIGINT, none of them NULL; of a unit, time and event id one row. */
  relation: string;
  /** Table to be made: `unit`, `id`, `from_ms`, `to_ms`, `events`, `begun_by`; one row a session, in no order. */
  into: string;
};

/**
 * Sessions of all events of a relation: `sessionize` of `models/sessions` as SQL, and tested against it.
 *
 * All cuts but those at the maximum lie between two neighbours, so one pass in order finds them; what lies between them is a run. Only runs that
 * are longer than the maximum are looked at again: of each of their events it is known which one would begin the next session if this one began one,
 * and from the run's first event these steps are followed by doubling (steps of 1, 2, 4, ... sessions at once), so that a run of a thousand
 * sessions takes ten joins.
 */
export async function sessionizeInDuck(input: Input): Promise<void> {
  const { duck, into, rules } = input;
  const [runs, long] = [`${into}_runs`, `${into}_long`];
  const isLong = `to_ms - from_ms > ${rules.maxMs}`;
  await duck.run(`CREATE OR REPLACE TEMP TABLE ${runs} AS ${runsSql(input)}`);
  await duck.run(`CREATE TABLE ${into} AS SELECT unit, ${idSql(runs)} AS id, from_ms, to_ms, events, begun_by FROM ${runs} WHERE NOT (${isLong})`);
  await duck.run(
    `CREATE OR REPLACE TEMP TABLE ${long} AS SELECT *, CAST(sum(events) OVER (ORDER BY unit, place) - events AS BIGINT) AS base FROM ${runs} WHERE ${isLong}`,
  );
  if (await holdsRows(duck, long)) await splitLongRuns(input, long);
  for (const table of [runs, long]) await duck.run(`DROP TABLE ${table}`);
}

/** As `sessionIdOf` makes it. */
const idSql = (row: string) => `substr(sha256(${row}.unit || chr(10) || ${row}.from_ms || chr(10) || ${row}.event_id), 1, 24)`;

/** One row a run: its first event, `place` of that in its unit, and its events. */
function runsSql({ relation, rules, timeZone }: Input): string {
  const { gapMs, boundaries } = rules;
  const dayOf = (atMs: string) => `CAST(timezone(${text(timeZone)}, make_timestamptz(${atMs} * 1000)) AS DATE)`;
  const cuts = [
    `WHEN before_ms IS NULL THEN 'first'`,
    `WHEN at_ms - before_ms > ${gapMs} THEN 'gap'`,
    ...(boundaries.kinds.length > 0 ? [`WHEN lag(kind) OVER in_order IN (${boundaries.kinds.map(text).join(', ')}) AND at_ms > before_ms THEN 'kind'`] : []),
    ...(boundaries.clientSession ? [`WHEN session_id <> lag(session_id) OVER in_order THEN 'client-session'`] : []),
    ...(boundaries.midnight ? [`WHEN ${dayOf('at_ms')} <> ${dayOf('before_ms')} THEN 'midnight'`] : []),
  ];
  // A run ends before the next one's first event, or with its unit's last: only such rows leave the pass.
  return `
    WITH marks AS (
      SELECT * FROM (
        SELECT unit, event_id, at_ms, lag(at_ms) OVER in_order AS before_ms, row_number() OVER in_order AS place, lead(at_ms) OVER in_order IS NULL AS is_last,
          CASE ${cuts.join(' ')} END AS begun_by
        FROM ${relation} WINDOW in_order AS (PARTITION BY unit ORDER BY at_ms, event_id))
      WHERE begun_by IS NOT NULL OR is_last)
    SELECT unit, event_id, at_ms AS from_ms, place, begun_by,
      coalesce(lead(if(begun_by IS NULL, at_ms, before_ms)) OVER in_order, at_ms) AS to_ms,
      coalesce(lead(if(begun_by IS NULL, place + 1, place)) OVER in_order, place + 1) - place AS events
    FROM marks WINDOW in_order AS (PARTITION BY unit ORDER BY place) QUALIFY begun_by IS NOT NULL`;
}

/** Cuts runs at the maximum. An event of a long run is named by its number among those of all long runs: `base` of its run plus its place in it. */
async function splitLongRuns({ duck, relation, into, rules }: Input, long: string): Promise<void> {
  const [events, steps, begins] = [`${into}_events`, `${into}_steps`, `${into}_begins`];
  await duck.run(`
    CREATE OR REPLACE TEMP TABLE ${events} AS
    WITH placed AS (
      SELECT unit, event_id, at_ms, row_number() OVER (PARTITION BY unit ORDER BY at_ms, event_id) AS place
      FROM ${relation} WHERE unit IN (SELECT unit FROM ${long}))
    SELECT placed.unit, placed.event_id, placed.at_ms, base, base + events AS end_number, run.begun_by, base + placed.place - run.place AS number
    FROM placed ASOF JOIN ${long} run ON run.unit = placed.unit AND run.place <= placed.place
    WHERE placed.place < run.place + run.events`);
  await duck.run(`
    CREATE OR REPLACE TEMP TABLE ${steps} AS
    SELECT one.number, later.number AS next
    FROM ${events} one ASOF JOIN (SELECT base, at_ms, min(number) AS number FROM ${events} GROUP BY base, at_ms) later
      ON one.base = later.base AND one.at_ms + ${rules.maxMs} < later.at_ms`);
  await duck.run(`CREATE OR REPLACE TEMP TABLE ${begins} AS SELECT base AS number FROM ${long}`);
  // After each turn `begins` holds the first 1, 2, 4, ... sessions of each run, and a step goes as many sessions ahead.
  while (await holdsRows(duck, steps)) {
    await duck.run(`INSERT INTO ${begins} SELECT next FROM ${begins} JOIN ${steps} USING (number)`);
    await duck.run(`CREATE OR REPLACE TEMP TABLE ${steps} AS SELECT one.number, two.next FROM ${steps} one JOIN ${steps} two ON two.number = one.next`);
  }
  await duck.run(`
    INSERT INTO ${into}
    WITH cut AS (
      SELECT unit, event_id, at_ms AS from_ms, number, coalesce(lead(number) OVER (PARTITION BY base ORDER BY number), end_number) AS after,
        if(number = base, begun_by, 'maximum') AS begun_by
      FROM ${events} JOIN ${begins} USING (number))
    SELECT cut.unit, ${idSql('cut')} AS id, from_ms, last.at_ms AS to_ms, after - cut.number AS events, cut.begun_by
    FROM cut JOIN ${events} last ON last.number = after - 1`);
  for (const table of [events, steps, begins]) await duck.run(`DROP TABLE ${table}`);
}

async function holdsRows(duck: Duck, table: string): Promise<boolean> {
  const [answer] = await duck.rows<{ some: boolean }>(`SELECT count(*) > 0 AS some FROM ${table}`);
  return answer?.some === true;
}
