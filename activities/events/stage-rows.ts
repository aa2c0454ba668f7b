import { consentPurposes } from '../../models/contracts/change-event.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { Digest } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { IngestManifest } from '../../models/contracts/window.ts';
import { choiceOf, rowRules, rulesThat, sequenceRules } from '../../models/rules/registry.ts';
import { inScope } from '../../models/rules/scope.ts';
import { expiredBy } from '../privacy/cutoffs.ts';
import type { Pseudonyms } from '../../models/contracts/pseudonyms.ts';
import { forbiddenSql, mustAskConsent, openConsents } from './consent-rows.ts';
import { asWritten, type Duck, name, text } from './duckdb.ts';
import { eventColumns, sameEventSql } from './event-columns.ts';
import { conflictFate, expiredFate, keptNowhere, withheldFate } from './fates.ts';
import { extraColumns, type Mapping } from './mapping.ts';
import { pseudonymRows } from './pseudonym-rows.ts';

type Part = Pick<Charter, 'timeZone' | 'scope' | 'data' | 'consent' | 'retention'>;

/** Names the rules that a batch was held against: the mapping, the record rules as the charter has them, its data-set rules and scope. */
export function rulesDigestOf({ mapping, charter }: { mapping: Mapping; charter: Part }): Digest {
  const choice = (rule: (typeof rowRules)[number] | (typeof sequenceRules)[number]) => choiceOf(rule.name, charter.data.recordRules);
  return digestJson({
    mapping,
    recordRules: [
      ...rowRules.map((rule) => [rule.name, choice(rule).action, rule.breaksSql(choice(rule).limit)]),
      ...sequenceRules.map((rule) => [rule.name, choice(rule).action, rule.brokenSql(choice(rule).limit)]),
    ],
    dataSetRules: charter.data.rules,
    itemIdPattern: charter.scope.itemIdPattern,
    timeZone: charter.timeZone,
  });
}

type Input = {
  duck: Duck;
  mapping: Mapping;
  charter: Part;
  /** Days to be added to the timestamps, or the day on or before which the data are to end, by whole weeks. */
  shift?: { days: number } | { endsAt: string } | undefined;
  /** When rows came in that do not say so; null where nobody knows. */
  nowMs: number | null;
  /** The items that there are, where the rows may not bring others. */
  knownItems?: readonly string[] | undefined;
  pseudonyms?: Pseudonyms | null | undefined;
  /** Slices of changes, as local files, and a table of fresh ones: what people allow. */
  changes?: readonly string[] | undefined;
  freshChanges?: string | undefined;
};

/**
 * From `raw` to the table `judged`: the columns of a slice, `raw_line`, `title`, `category`, `brand`, and `fate`: NULL where the row is
 * accepted, `duplicate`, or the reason of its quarantine. Equal rows with one event id are one event; different rows with one id are a
 * conflict, and the first line wins. Answers the shift that was added, in days, and what the rules that only warn have found.
 * @throws UND-CHARTER when the mapping's SQL or the time zone is nothing that DuckDB can run; UND-CONSERVATION; UND-RULE-STOP when a row breaks a
 * record rule that the charter has stop.
 */
export async function stageRows(input: Input): Promise<{ shiftDays: number; warnings: IngestManifest['warnings'] }> {
  const { duck, mapping, charter, shift = { days: 0 } } = input;
  // `Intl` knows zones that DuckDB does not.
  await asWritten({ what: `The time zone ${charter.timeZone}`, path: '/timeZone' }, () =>
    duck.run(`SELECT timezone(${text(charter.timeZone)}, TIMESTAMP '2026-01-01')`),
  );
  const mapped = { what: `The mapping ${mapping.name}`, path: '/source/mapping/sql' };
  await asWritten(mapped, () => viewMapped({ duck, mapping }));
  const shiftDays = 'days' in shift ? shift.days : await asWritten(mapped, () => shiftFor({ duck, endsAt: shift.endsAt, timeZone: charter.timeZone }));
  const zone = text(charter.timeZone);
  // The wall clock is shifted, not the instant: an hour and its day stay what they were, in summer and in winter.
  const wall = `coalesce(wall_time, TRY(timezone(${zone}, make_timestamptz(at_ms * 1000))))`;
  const instant = `TRY(epoch_ms(timezone(${zone}, ${wall} + INTERVAL (${shiftDays}) DAY)))`;
  const atMs = shiftDays === 0 ? `coalesce(at_ms, ${instant})` : instant;
  await duck.run(`CREATE VIEW timed AS SELECT * EXCLUDE (at_ms, wall_time), ${atMs} AS at_ms FROM mapped`);
  const nowMs = shiftDays === 0 ? input.nowMs : null;
  // The one pass in which the mapping is run: rows are copied once, and not at each step.
  await asWritten(mapped, () => ruleRows({ ...input, nowMs }));
  await checkLines({ duck, mapping });
  const warnings = await judgeRuled({ ...input, nowMs });
  await withhold(input);
  await expire(input);
  return { shiftDays, warnings };
}

/** Rows of people who allow no purpose, from when they said so on; also those that would be quarantined, where they still could be read. */
async function withhold({ duck, charter, changes = [], freshChanges }: Input): Promise<void> {
  await openConsents({ duck, paths: changes, ...(freshChanges === undefined ? {} : { fresh: freshChanges }) });
  if (await mustAskConsent({ duck, charter })) {
    const forbidden = consentPurposes.map((purpose) => forbiddenSql({ purpose, charter, atMs: 'at_ms' }));
    await duck.run(`UPDATE judged SET fate = '${withheldFate}' WHERE fate IS DISTINCT FROM 'duplicate' AND ${forbidden.join(' AND ')}`);
  }
}

/**
 * Rows that are older than the charter keeps, also those that would be quarantined: a source that always comes as a whole does not bring back what
 * retention has erased.
 */
async function expire({ duck, charter, nowMs }: Input): Promise<void> {
  const expired = expiredBy({ charter, nowMs });
  if (expired !== undefined) await duck.run(`UPDATE judged SET fate = '${expiredFate}' WHERE coalesce(fate, '') NOT IN ${keptNowhere} AND ${expired.events}`);
}

type Rules = Omit<Input, 'mapping' | 'shift'>;

/** From `timed`, whose `reason` is the mapping's own, to `judged`. */
export async function judgeRows(input: Rules): Promise<IngestManifest['warnings']> {
  await ruleRows(input);
  return judgeRuled(input);
}

const brokenSql = ({ rule, limit }: { rule: (typeof rowRules)[number]; limit: number }, nowMs: number | null) => atMoment(rule.breaksSql(limit), nowMs);

/** From `timed` to `ruled`, whose `reason` is the first that a row is put aside for. */
async function ruleRows({ duck, charter, nowMs, knownItems = [] }: Rules): Promise<void> {
  const { recordRules } = charter.data;
  await fillForeignItems({ duck, itemIdPattern: charter.scope.itemIdPattern });
  await fillItems({ duck, table: 'known_items', items: choiceOf('unknown-item', recordRules).action === 'off' ? [] : knownItems });
  const strict = rulesThat(rowRules, ['quarantine', 'stop'], recordRules);
  const reasons = strict.map((one) => `WHEN ${brokenSql(one, nowMs)} THEN '${one.rule.name}'`).join(' ');
  await duck.run(`CREATE TABLE ruled AS SELECT * EXCLUDE (reason), coalesce(reason, CASE ${reasons} END) AS reason FROM timed`);
}

/** From `ruled` to `judged`. */
async function judgeRuled({ duck, charter, nowMs, pseudonyms = null }: Rules): Promise<IngestManifest['warnings']> {
  const { recordRules } = charter.data;
  // Behind the rules, which speak of ids as they came.
  await pseudonymRows({ duck, table: 'ruled', pseudonyms });
  await tellTwins(duck);
  const ofSequences = await judgeSequences({ duck, charter });
  const stops = rulesThat(rowRules, ['stop'], recordRules);
  await stopAt({ duck, names: stops.map(({ rule }) => rule.name) });
  const mild = rulesThat(rowRules, ['warn'], recordRules);
  if (mild.length === 0) return ofSequences;
  const [counts = {}] = await duck.rows<Record<string, number>>(
    `SELECT ${mild.map((one) => `count_if(${brokenSql(one, nowMs)})::DOUBLE AS ${name(one.rule.name)}`).join(', ')} FROM judged WHERE fate IS NULL`,
  );
  return [...mild.flatMap(({ rule }) => warningOf(rule.name, counts[rule.name] ?? 0)), ...ofSequences];
}

/** `ruled` becomes `judged`: rows that have an event id of a line before are duplicates, or conflicts. */
async function tellTwins(duck: Duck): Promise<void> {
  // Hashes are smaller than ids, and tell nearly all rows that there are once from the few that are looked at.
  await duck.run(`
    CREATE TABLE repeats AS
    WITH several AS (SELECT key FROM (SELECT hash(event_id) AS key FROM ruled WHERE reason IS NULL) GROUP BY key HAVING count(*) > 1)
    SELECT raw_line, row_number() OVER first AS nth, ${sameEventSql} = first_value(${sameEventSql}) OVER first AS same
    FROM ruled WHERE reason IS NULL AND hash(event_id) IN (SELECT key FROM several)
    WINDOW first AS (PARTITION BY event_id ORDER BY raw_line)`);
  await duck.run(`
    UPDATE ruled SET reason = CASE WHEN repeats.same THEN 'duplicate' ELSE '${conflictFate}' END
    FROM repeats WHERE repeats.nth > 1 AND repeats.raw_line = ruled.raw_line`);
  await duck.run('DROP TABLE repeats; ALTER TABLE ruled RENAME reason TO fate; ALTER TABLE ruled RENAME TO judged');
}

/** All of them see the same rows; then those that put rows aside do so, the first one first. */
async function judgeSequences({ duck, charter }: { duck: Duck; charter: Part }): Promise<IngestManifest['warnings']> {
  const rules = rulesThat(sequenceRules, ['warn', 'quarantine', 'stop'], charter.data.recordRules);
  if (rules.length === 0) return [];
  await duck.run('CREATE VIEW sound AS SELECT raw_line, kind, user_id, session_id, item_id, request_id, at_ms FROM judged WHERE fate IS NULL');
  for (const { rule, limit } of rules) await duck.run(`CREATE TABLE ${name(rule.name)} AS ${rule.brokenSql(limit)}`);
  const warnings: IngestManifest['warnings'] = [];
  for (const { rule } of rules.filter(({ action }) => action !== 'warn'))
    await duck.run(`UPDATE judged SET fate = '${rule.name}' WHERE fate IS NULL AND raw_line IN (SELECT raw_line FROM ${name(rule.name)})`);
  await stopAt({ duck, names: rules.filter(({ action }) => action === 'stop').map(({ rule }) => rule.name) });
  for (const { rule } of rules.filter(({ action }) => action === 'warn')) {
    const [row] = await duck.rows<{ rows: number }>(`SELECT count(*)::DOUBLE AS rows FROM ${name(rule.name)} JOIN judged USING (raw_line) WHERE fate IS NULL`);
    warnings.push(...warningOf(rule.name, row?.rows ?? 0));
  }
  await duck.run('DROP VIEW sound');
  for (const { rule } of rules) await duck.run(`DROP TABLE ${name(rule.name)}`);
  return warnings;
}

const warningOf = (rule: string, rows: number): IngestManifest['warnings'] =>
  rows === 0 ? [] : [{ rule, message: `${rows} accepted row${rows === 1 ? '' : 's'} broke it`, value: rows }];

/** @throws UND-RULE-STOP naming each of these rules that a row broke. */
async function stopAt({ duck, names }: { duck: Duck; names: readonly string[] }): Promise<void> {
  if (names.length === 0) return;
  const broken = await duck.rows<{ fate: string; rows: number; line: number }>(
    `SELECT fate, count(*)::DOUBLE AS rows, min(raw_line) AS line FROM judged WHERE fate IN (${names.map(text).join(', ')}) GROUP BY fate ORDER BY fate`,
  );
  if (broken.length === 0) return;
  const mistakes = broken.map(({ fate, rows, line }) => ({
    path: `/data/recordRules/${fate}`,
    message: `${rows} row${rows === 1 ? '' : 's'} broke it, the first in line ${line}`,
  }));
  throw new UnderstudyError('UND-RULE-STOP', `The charter stops at ${broken.map(({ fate }, place) => `${fate}: ${mistakes[place]?.message}`).join('; ')}`, {
    mistakes,
  });
}

const atMoment = (sql: string, nowMs: number | null): string => sql.replaceAll(':now', nowMs === null ? 'CAST(NULL AS BIGINT)' : String(nowMs));

/** The mapping as the view `mapped`; columns that it does not give are NULL. */
async function viewMapped({ duck, mapping }: { duck: Duck; mapping: Mapping }): Promise<void> {
  const described = await duck.rows<{ column_name: string }>(`DESCRIBE ${mapping.sql}`);
  const given = new Set(described.map((row) => row.column_name));
  const columns = [...eventColumns, ...extraColumns].map(
    ({ column, type }) => `CAST(${given.has(column) ? `m.${name(column)}` : 'NULL'} AS ${type}) AS ${column}`,
  );
  await duck.run(`CREATE VIEW mapped AS SELECT m.raw_line, ${columns.join(', ')} FROM (${mapping.sql}) m`);
}

/** @throws UND-CONSERVATION when the mapping did not give each line once: equal sums of 64-bit hashes are taken for equal lines. */
async function checkLines({ duck, mapping }: { duck: Duck; mapping: Mapping }): Promise<void> {
  const sums = (table: string) => `SELECT count(*)::DOUBLE AS rows, coalesce(sum(hash(raw_line)), 0) AS hashes FROM ${table}`;
  const [ruled, raw] = [(await duck.rows<Lines>(sums('ruled')))[0], (await duck.rows<Lines>(sums('raw')))[0]];
  if (ruled !== undefined && ruled.rows === raw?.rows && ruled.hashes === raw.hashes) return;
  const [lines] = await duck.rows<{ different: number }>('SELECT count(DISTINCT raw_line)::DOUBLE AS different FROM ruled');
  throw new UnderstudyError('UND-CONSERVATION', `The mapping ${mapping.name} made ${ruled?.rows} rows of ${raw?.rows} lines (${lines?.different} different)`);
}
type Lines = { rows: number; hashes: string };

/** Whole weeks that bring the last day of the data to the last such weekday on or before `endsAt`. */
async function shiftFor({ duck, endsAt, timeZone }: { duck: Duck; endsAt: string; timeZone: string }): Promise<number> {
  const local = `coalesce(wall_time, TRY(timezone(${text(timeZone)}, make_timestamptz(at_ms * 1000))))`;
  const [row] = await duck.rows<{ weeks: number | null }>(
    `SELECT CAST(floor((DATE ${text(endsAt)} - CAST(max(${local}) AS DATE)) / 7.0) AS INTEGER) AS weeks FROM mapped WHERE reason IS NULL AND isfinite(${local})`,
  );
  return (row?.weeks ?? 0) * 7;
}

async function fillForeignItems({ duck, itemIdPattern }: { duck: Duck; itemIdPattern: string | undefined }): Promise<void> {
  const [items = []] = itemIdPattern === undefined ? [] : await duck.columns('SELECT DISTINCT item_id FROM timed WHERE item_id IS NOT NULL');
  await fillItems({ duck, table: 'foreign_items', items: (items as string[]).filter((itemId) => !inScope(itemId, { itemIdPattern })) });
}

async function fillItems({ duck, table, items }: { duck: Duck; table: string; items: readonly string[] }): Promise<void> {
  await duck.run(`CREATE TABLE ${table} (item_id VARCHAR)`);
  const page = 1000;
  for (let from = 0; from < items.length; from += page) {
    const values = items.slice(from, from + page).map((itemId) => `(${text(itemId)})`);
    await duck.run(`INSERT INTO ${table} VALUES ${values.join(', ')}`);
  }
}
