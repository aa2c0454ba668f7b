import type { Feature, FeatureView } from '../../models/contracts/feature.ts';
import { type Duck, name } from '../events/duckdb.ts';
import { featureColumn } from './compile-view.ts';
import { joinPointInTime, type LabelTable } from './join-point-in-time.ts';

/**
 * How a given value came to hold what was not known at its row's moment: it counts what happened at that very moment; what had happened and had
 * not been received; a window that begins at the moment instead of ending there; or it is simply the value at the end of the data.
 */
export const leakKinds = ['at-the-moment', 'before-it-was-received', 'window-after', 'end-of-data'] as const;
export type LeakKind = (typeof leakKinds)[number];

export type LeakFinding = {
  column: string;
  feature: string;
  rows: number;
  /** Rows whose value is the one that was known. */
  known: number;
  /** Rows whose value is another, and just what this kind of leak gives; a row may be of several kinds. */
  leaks: Record<LeakKind, number>;
  /** Rows whose value is none of these. */
  unexplained: number;
  /** `leaks`: one kind of leak gives at least half of the rows that differ. `differs`: it is some other feature than the view's. */
  verdict: 'known' | 'leaks' | 'differs';
  /** The first row that differs: its number in the table from 0, what it has, and what was known. */
  first: { row: number; given: string | null; known: string | null } | null;
};

type Input = {
  duck: Duck;
  view: FeatureView;
  /** The training table as it was brought: each row with whose it is, its moment, and feature columns. */
  labels: LabelTable;
  /** Which of its columns claims to be which feature. */
  columns: Readonly<Record<string, string>>;
};

/** Relative, for numbers that other tools computed. */
const tolerance = 1e-9;

/**
 * Says of each feature column of a training table whether it can have been known at each row's moment, by computing it again point in time and by
 * each way in which it could have leaked. Reads the relation `events` of `openEvents`.
 */
export async function findLeaks({ duck, view, labels, columns }: Input): Promise<LeakFinding[]> {
  await duck.run(`CREATE TABLE given AS SELECT (row_number() OVER () - 1)::BIGINT AS given_row, * FROM ${labels.relation}`);
  const asked = await duck.rows<{ end_ms: string }>('SELECT coalesce(max(greatest(at_ms, known_ms)) + 1, 0)::VARCHAR AS end_ms FROM events');
  const claimed = Object.entries(columns).flatMap(([column, wanted]) =>
    view.features.filter((feature) => feature.name === wanted).map((feature) => ({ column, feature })),
  );
  const at = `CAST(${labels.asOfMs} AS BIGINT)`;
  const made = ['given', 'compared'];
  const join = (into: string, change: { asOfMs?: string; events?: string; view?: FeatureView }) => {
    made.push(into);
    return joinPointInTime({
      duck,
      view: change.view ?? view,
      labels: { relation: `(SELECT given_row, ${labels.entity} AS whose, ${change.asOfMs ?? at} AS as_of_ms FROM given)`, entity: 'whose', asOfMs: 'as_of_ms' },
      into,
      ...(change.events === undefined ? {} : { events: change.events }),
    });
  };
  const byEventTime = '(SELECT * REPLACE (at_ms AS known_ms) FROM events)';
  await join('was_known', {});
  await join('at_the_moment', { asOfMs: `${at} + 1` });
  await join('before_it_was_received', { events: byEventTime });
  await join('end_of_data', { asOfMs: asked[0]?.end_ms ?? '0' });
  const findings: LeakFinding[] = [];
  for (const [index, { column, feature }] of claimed.entries()) {
    const after = `window_after_${index}`;
    // Of a feature without a window there is none.
    const { windowMs } = feature;
    if (windowMs !== 'all') await join(after, { view: { ...view, features: [feature] }, asOfMs: `${at} + ${windowMs}`, events: byEventTime });
    findings.push(await compare({ duck, view, column, feature, after: windowMs === 'all' ? undefined : after }));
  }
  for (const one of made) await duck.run(`DROP TABLE IF EXISTS ${one}`);
  return findings;
}

async function compare({
  duck,
  view,
  column,
  feature,
  after,
}: {
  duck: Duck;
  view: FeatureView;
  column: string;
  feature: Feature;
  after: string | undefined;
}): Promise<LeakFinding> {
  const own = name(featureColumn(view, feature.name));
  const given = feature.type === 'text' ? `CAST(given.${name(column)} AS VARCHAR)` : `TRY_CAST(given.${name(column)} AS DOUBLE)`;
  const same = (table: string) =>
    feature.type === 'text'
      ? `${given} IS NOT DISTINCT FROM ${table}.${own}`
      : `coalesce(abs(${given} - ${table}.${own}) <= ${tolerance} * greatest(1, abs(${table}.${own})), ${given} IS NULL AND ${table}.${own} IS NULL)`;
  const tables: Partial<Record<LeakKind, string>> = {
    'at-the-moment': 'at_the_moment',
    'before-it-was-received': 'before_it_was_received',
    ...(after === undefined ? {} : { 'window-after': after }),
    'end-of-data': 'end_of_data',
  };
  const joins = ['was_known', ...Object.values(tables)].map((table) => `JOIN ${table} USING (given_row)`).join(' ');
  const kinds = leakKinds.map((kind) => `${tables[kind] === undefined ? 'false' : same(tables[kind])} AS ${name(kind)}`);
  await duck.run(`
    CREATE OR REPLACE TABLE compared AS
    SELECT given_row, CAST(given.${name(column)} AS VARCHAR) AS given, CAST(was_known.${own} AS VARCHAR) AS known, ${same('was_known')} AS is_known, ${kinds.join(', ')}
    FROM given ${joins}`);
  const counts = leakKinds.map((kind) => `(count(*) FILTER (NOT is_known AND ${name(kind)}))::INTEGER AS ${name(kind)}`);
  const none = leakKinds.map((kind) => `NOT ${name(kind)}`).join(' AND ');
  const [tally] = await duck.rows<Record<LeakKind | 'rows' | 'known' | 'unexplained', number>>(`
    SELECT count(*)::INTEGER AS rows, (count(*) FILTER (is_known))::INTEGER AS known, (count(*) FILTER (NOT is_known AND ${none}))::INTEGER AS unexplained, ${counts.join(', ')}
    FROM compared`);
  const { rows = 0, known = 0, unexplained = 0, ...leaks } = tally ?? {};
  const first = await duck.rows<{ row: number; given: string | null; known: string | null }>(
    'SELECT given_row::INTEGER AS row, given, known FROM compared WHERE NOT is_known ORDER BY given_row LIMIT 1',
  );
  const verdict = known === rows ? 'known' : 2 * Math.max(...Object.values(leaks)) >= rows - known ? 'leaks' : 'differs';
  return { column, feature: feature.name, rows, known, leaks: leaks as Record<LeakKind, number>, unexplained, verdict, first: first[0] ?? null };
}
