import type { FeatureView } from '../../models/contracts/feature.ts';
import type { Duck } from '../events/duckdb.ts';
import { compileView, entityColumn, featureList, type Part, sourceSql } from './compile-view.ts';

/** A table of labels as SQL: whose features, and the moment before which they must have been known. Where either is NULL, so are the features. */
export type LabelTable = { relation: string; entity: string; asOfMs: string };

type Input = { duck: Duck; view: FeatureView; labels: LabelTable; into: string; events?: string };

/**
 * Makes the table `into`: the rows of `labels` in their order, with a column a feature of the view (`featureColumn`) as it was known strictly
 * before the row's own moment, by the time of an event and by when it was received. `events` is the relation of `openEvents`, or one like it.
 *
 * One pass over each entity in the order of time. An event adds when it comes to be known; what was added so far is looked up at a label's moment
 * and a window before it, and the difference is what the window holds. An event that came late adds when it came and leaves when it would have
 * left; one that came only after that never adds.
 */
export async function joinPointInTime({ duck, view, labels, into, events = 'events' }: Input): Promise<void> {
  await duck.run(`
    CREATE TABLE asked AS
    SELECT CAST(row_number() OVER () AS INTEGER) AS asked_row, CAST(${labels.entity} AS VARCHAR) AS asked_entity, CAST(${labels.asOfMs} AS BIGINT) AS asked_as_of, *
    FROM ${labels.relation}`);
  // Numbers sort faster than ids, and what nobody asks for is not sorted at all.
  await duck.run(`
    CREATE TABLE asked_ids AS
    SELECT asked_entity, CAST(row_number() OVER () AS INTEGER) AS asked_id FROM (SELECT DISTINCT asked_entity FROM asked WHERE asked_as_of IS NOT NULL)`);
  const source = `(SELECT asked_id, happened.* FROM ${events} happened JOIN asked_ids ON asked_entity = ${entityColumn[view.entity]} WHERE ${sourceSql(view)})`;
  const [row] = await duck.rows<{ late: number | null }>(`SELECT max(known_ms - at_ms)::DOUBLE AS late FROM ${events}`);
  const lateMs = row?.late ?? 0;
  const compiled = compileView(view, 'asked_as_of');
  const gathered = compiled.parts.map((part) => gatheredAs(part, { all: compiled.parts, lateMs }));
  const windows = [...new Set(gathered.flatMap(({ out, windowMs }) => (out === undefined || windowMs === 'all' ? [] : [windowMs])))];
  // Doubled, so that at one millisecond a label comes before the events.
  const probes = [0, ...windows].map(
    (windowMs, back) => `SELECT asked_id, 2 * (asked_as_of - ${windowMs}) AS moment, asked_row, ${back}::UTINYINT AS back FROM moments`,
  );
  const timeline = [...additions({ source, gathered, lateMs }), ...gathered.flatMap((part) => distinctRows(source, part)), ...probes];
  const running = new Map(
    gathered.flatMap(({ gather, into: added, out = added }) => [added, out].map((column) => [column, `${runs[gather]}(${column}) OVER time AS ${column}`])),
  );
  const answers = gathered.map((part) => `${answerSql(part, windows)} AS ${part.column}`);
  await duck.run(`
    CREATE TABLE ${into} AS
    WITH moments AS MATERIALIZED (SELECT asked_id, asked_row, asked_as_of FROM asked JOIN asked_ids USING (asked_entity) WHERE asked_as_of IS NOT NULL),
    timeline AS (${timeline.join(' UNION ALL BY NAME ')}),
    looked_up AS (
      SELECT asked_row, back, ${[...running.values()].join(', ')} FROM timeline
      WINDOW time AS (PARTITION BY asked_id ORDER BY moment ROWS UNBOUNDED PRECEDING) QUALIFY asked_row IS NOT NULL),
    gathered AS (SELECT asked_row, ${answers.join(', ')} FROM looked_up GROUP BY asked_row)
    SELECT asked.* EXCLUDE (asked_row, asked_entity, asked_as_of), ${featureList(view, compiled)}
    FROM asked LEFT JOIN gathered USING (asked_row) ORDER BY asked_row`);
  await duck.run('DROP TABLE asked; DROP TABLE asked_ids');
}

/** `into`: the column of the timeline on which it adds. `out`: the one that is looked up a window before; undefined where nothing leaves. */
type Gathered = Part & { into: string; out: string | undefined };

/** Came later than a window is long, an event is never in it: then the part is gathered apart. All others that differ by their window share a column. */
function gatheredAs(part: Part, { all, lateMs }: { all: readonly Part[]; lateMs: number }): Gathered {
  const isApart = ({ gather, windowMs }: Part) => gather === 'distinct' || (windowMs !== 'all' && windowMs <= lateMs);
  const shares = (other: Part) => !isApart(other) && other.gather === part.gather && other.value === part.value;
  const into = (isApart(part) ? part : (all.find(shares) ?? part)).column;
  // What left a window is what had been added a window before, where all that was added was in time.
  return { ...part, into, out: part.windowMs === 'all' ? undefined : lateMs > 0 || isApart(part) ? `${into}_out` : into };
}

const runs = { count: 'count', sum: 'sum', distinct: 'count', latest: 'max', last: 'max' } as const;

/** The rows of the timeline on which events add, and on which those that were late leave. */
function additions({ source, gathered, lateMs }: { source: string; gathered: readonly Gathered[]; lateMs: number }): string[] {
  const own = gathered.filter(({ gather }) => gather !== 'distinct');
  const valueSql = ({ gather, value, windowMs }: Gathered) => {
    const whole = gather === 'last' ? `CASE WHEN ${value} IS NOT NULL THEN {'at': at_ms, 'id': event_id, 'value': ${value}} END` : value;
    return windowMs !== 'all' && windowMs <= lateMs ? `CASE WHEN known_ms < at_ms + ${windowMs} THEN ${whole} END` : whole;
  };
  const into = new Map(own.map((part) => [part.into, `${valueSql(part)} AS ${part.into}`]));
  const out = new Map(own.flatMap((part) => (part.out === undefined || part.out === part.into ? [] : [[part.out, `${valueSql(part)} AS ${part.out}`]])));
  const rows = (at: string, columns: readonly string[], which: string) =>
    `SELECT asked_id, 2 * ${at} + 1 AS moment, ${columns.join(', ')} FROM ${source} WHERE ${which}`;
  const [added, left] = [[...into.values()], [...out.values()]];
  if (lateMs === 0) return [rows('at_ms', added, 'true')];
  return [
    rows('at_ms', [...added, ...left], 'known_ms = at_ms'),
    rows('known_ms', added, 'known_ms > at_ms'),
    ...(left.length === 0 ? [] : [rows('at_ms', left, 'known_ms > at_ms')]),
  ];
}

/**
 * A value is in the window from when an event with it is known to a window after the event. Where such spans of one value overlap they count once:
 * each adds only from where those before it end.
 */
function distinctRows(source: string, { gather, value, windowMs, into, out }: Gathered): string[] {
  if (gather !== 'distinct') return [];
  const having = `FROM ${source} WHERE ${value} IS NOT NULL`;
  if (windowMs === 'all') return [`SELECT asked_id, 2 * min(known_ms) + 1 AS moment, 1 AS ${into} ${having} GROUP BY asked_id, ${value}`];
  const spans = `
    SELECT asked_id, at_ms, greatest(known_ms, coalesce(max(at_ms) OVER before + ${windowMs}, known_ms)) AS from_ms ${having} AND known_ms < at_ms + ${windowMs}
    WINDOW before AS (PARTITION BY asked_id, ${value} ORDER BY known_ms, at_ms ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    QUALIFY from_ms < at_ms + ${windowMs}`;
  return [`SELECT asked_id, 2 * from_ms + 1 AS moment, 1 AS ${into} FROM (${spans})`, `SELECT asked_id, 2 * at_ms + 1 AS moment, 1 AS ${out} FROM (${spans})`];
}

/** What the window held: what was added by the label's moment less what had been added a window before it. */
function answerSql({ into, out, windowMs, gather }: Gathered, windows: readonly (number | 'all')[]): string {
  const now = `any_value(${into}) FILTER (back = 0)`;
  if (gather === 'latest' || gather === 'last') return now;
  return `coalesce(${now}, 0)${out === undefined ? '' : ` - coalesce(any_value(${out}) FILTER (back = ${1 + windows.indexOf(windowMs)}), 0)`}`;
}
