import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCharter } from '../../models/contracts/charter.ts';
import { parseEvent } from '../../models/contracts/event-schemas.ts';
import { eventKinds } from '../../models/contracts/event.ts';
import { contractRules, judgementRules, type RecordRuleChoices } from '../../models/contracts/record-rules.ts';
import { createRandom, type Random } from '../../models/random.ts';
import { createJudge } from '../../models/rules/judge.ts';
import type { RuleContext, RuleRow } from '../../models/rules/record-rule.ts';
import { rowRules, sequenceRules } from '../../models/rules/registry.ts';
import { type Duck, text, withDuck } from './duckdb.ts';
import { eventColumns } from './event-columns.ts';
import { judgeRows } from './stage-rows.ts';
import { testCharter, withBench } from './testing.ts';

// DuckDB's SQL text ends at NUL, so that one cannot be written here; it is a control character like the others.
const anyText = fc.string({ unit: 'binary', maxLength: 6 }).map((value) => value.replaceAll('\0', '\u0001'));
const edges = fc.constantFrom(
  '',
  ' ',
  '\u00a0',
  'a\u00a0b',
  '\ufeff',
  'a\ufeff',
  '\u2028',
  '\u180e',
  '\u200b',
  'a\nb',
  'x'.repeat(128),
  'x'.repeat(129),
  '😀'.repeat(128),
  '😀'.repeat(129),
  'é'.repeat(128),
  'e\u0301'.repeat(65),
  '12345',
  '12345A',
  'POST',
  "o'x",
);
const id = fc.option(fc.oneof(anyText, edges, fc.stringMatching(/^[0-9]{5}[A-Z]?$/)));
const whole = (least: number, most: number) =>
  fc.option(fc.oneof(fc.integer({ min: least - 2, max: least + 2 }), fc.integer({ min: most - 2, max: most + 2 }), fc.integer({ min: least, max: most })));
const row: fc.Arbitrary<RuleRow> = fc.record({
  eventId: id,
  kind: fc.option(fc.oneof(fc.constantFrom(...eventKinds), fc.constantFrom('Purchase', 'buy', ''))),
  userId: id,
  sessionId: id,
  itemId: id,
  atMs: whole(0, 253_402_214_399_999),
  requestId: id,
  position: whole(0, 999),
  quantity: whole(1, 1_000_000),
  unitPriceMinor: whole(0, 1_000_000_000),
  dwellMs: whole(0, 86_400_000),
  rating: fc.option(fc.oneof(fc.double({ min: -1, max: 6, noNaN: true }), fc.constant(Number.NaN), fc.constant(5))),
  deviceId: id,
  receivedAtMs: fc.option(fc.integer({ min: 0, max: 10_000_000 })),
});
/** Rows that break few rules: the first one would hide the others. */
const soundRow: fc.Arbitrary<RuleRow> = fc
  .record({
    base: row,
    keep: fc.subarray(
      eventColumns.map((one) => one.field),
      { maxLength: 2 },
    ),
  })
  .map(({ base, keep }) => ({
    eventId: 'e',
    kind: 'purchase',
    userId: null,
    sessionId: 's',
    itemId: '12345',
    atMs: 1,
    requestId: null,
    position: null,
    quantity: null,
    unitPriceMinor: null,
    dwellMs: null,
    rating: null,
    deviceId: null,
    receivedAtMs: null,
    ...Object.fromEntries(keep.map((field) => [field, base[field]])),
  }));

const itemIdPattern = '^[0-9]{5}[A-Za-z]*$';
const nowMs = 5_000_000;

/** What the batch makes of the rows, and what the stream does. */
async function bothFates({ rows, choices, knownItems }: { rows: readonly RuleRow[]; choices: RecordRuleChoices; knownItems: readonly string[] }) {
  const charter = { ...testCharter(), scope: { ...testCharter().scope, itemIdPattern }, data: { ...testCharter().data, recordRules: choices } };
  const batch = await withBench(({ folder }) =>
    withDuck({ workDir: folder }, async (duck) => {
      await fillTimed(duck, rows);
      const warnings = await judgeRows({ duck, charter, nowMs, knownItems });
      const [fates = []] = await duck.columns('SELECT fate FROM judged ORDER BY raw_line');
      return { fates, warnings: Object.fromEntries(warnings.map(({ rule, value }) => [rule, value])) };
    }),
  );
  return { batch, stream: judgeStream(rows, { choices, context: { itemIdPattern, nowMs, isKnownItem: (itemId) => knownItems.includes(itemId) } }) };
}

function judgeStream(rows: readonly RuleRow[], { choices, context }: { choices: RecordRuleChoices; context: RuleContext }) {
  const judge = createJudge({ choices, context, remember: <Value>() => new Map<string, Value>() });
  const seen = new Map<string, string>();
  const warnings: Record<string, number> = {};
  const fates = rows.map((row) => {
    const broken = judge.breaksRow(row);
    if (broken !== null) return broken;
    const same = JSON.stringify({ ...row, receivedAtMs: null });
    const before = seen.get(row.eventId ?? '');
    if (before !== undefined) return before === same ? 'duplicate' : 'event-id-conflict';
    seen.set(row.eventId ?? '', same);
    const { reason, warnings: warned } = judge.judge(row);
    for (const rule of warned) warnings[rule] = (warnings[rule] ?? 0) + 1;
    return reason;
  });
  return { fates, warnings };
}

async function fillTimed(duck: Duck, rows: readonly RuleRow[]): Promise<void> {
  const path = join(duck.scratch, 'rows.jsonl');
  await writeFile(path, rows.map((row, nth) => JSON.stringify({ ...row, rating: row.rating === null ? null : String(row.rating), nth })).join('\n'));
  const columns = eventColumns.map(({ field }) => `${field}: 'VARCHAR'`).join(', ');
  await duck.run(`
    CREATE TABLE timed AS SELECT nth AS raw_line, ${eventColumns.map(({ field, column, type }) => `CAST("${field}" AS ${type}) AS ${column}`).join(', ')}, CAST(NULL AS VARCHAR) AS reason
    FROM read_json(${text(path)}, format = 'newline_delimited', columns = {nth: 'DOUBLE', ${columns}})`);
}

/** Visitors, some of them in a hurry, over a few minutes of a shop: most rows are sound, so that rules which look back have something to look at. */
function generate(random: Random, count: number): RuleRow[] {
  const pick = <Value>(values: readonly Value[]): Value => values[random.below(values.length)] as Value;
  const rarely = <Value>(share: number, value: () => Value, otherwise: Value): Value => (random.float() < share ? value() : otherwise);
  const strange = ['', ' ', '\u00a0', 'a\nb', 'x'.repeat(129), '😀'.repeat(129), "o'x", 'POST', 'e\u0301'.repeat(65), '\u202eabc', '\u200b'];
  return Array.from({ length: count }, (_, nth) => {
    const kind = pick(eventKinds);
    const busy = random.float() < 0.2;
    const atMs = 1_000_000 + random.below(600_000);
    return {
      eventId: rarely<string | null>(0.02, () => pick([`e${random.below(count)}`, `e${Math.max(0, nth - 1)}`, null, ...strange]), `e${nth}`),
      kind: rarely<string | null>(0.01, () => pick(['Purchase', '', null]), kind),
      userId: busy
        ? `bot${random.below(3)}`
        : rarely<string | null>(
            0.5,
            () => `u${random.below(200)}`,
            rarely<string | null>(0.01, () => pick(strange), null),
          ),
      sessionId: rarely<string | null>(0.01, () => pick([null, ...strange]), `s${random.below(500)}`),
      itemId: rarely<string | null>(0.02, () => pick([null, 'POST', '99999', ...strange]), `1000${random.below(10)}`),
      atMs: rarely<number | null>(0.01, () => pick([null, -1, 0, 253_402_214_400_000, 9_000_000]), atMs),
      requestId: rarely<string | null>(
        0.4,
        () => `r${random.below(Math.max(1, Math.floor(count / 20)))}`,
        rarely<string | null>(0.01, () => pick(strange), null),
      ),
      position: rarely<number | null>(0.02, () => pick([-1, 0, 999, 1000]), null),
      quantity: rarely<number | null>(0.02, () => pick([0, 1, 1_000_001]), null),
      unitPriceMinor: rarely<number | null>(0.02, () => pick([-1, 0, 1_000_000_001]), null),
      dwellMs: kind === 'dwell' ? rarely<number | null>(0.05, () => pick([null, -1, 86_400_001]), random.below(60_000)) : null,
      rating: kind === 'rating' ? rarely<number | null>(0.05, () => pick([null, Number.NaN, 5.5]), random.below(11) / 2) : null,
      deviceId: rarely<string | null>(
        0.3,
        () => `d${random.below(300)}`,
        rarely<string | null>(0.01, () => pick(strange), null),
      ),
      receivedAtMs: rarely<number | null>(0.9, () => atMs + random.below(5_000) - 500, null),
    };
  });
}

describe('record rules', () => {
  const charters: [what: string, choices: RecordRuleChoices][] = [
    ['by themselves', {}],
    [
      'strict',
      {
        'in-the-future': { action: 'quarantine', limit: 100 },
        'too-late': { action: 'quarantine', limit: 4_000 },
        'unknown-item': 'quarantine',
        'before-impression': 'quarantine',
        'bot-rate': { action: 'quarantine', limit: 40 },
      },
    ],
    [
      'warning',
      {
        'in-the-future': { action: 'warn', limit: 100 },
        'too-late': { action: 'warn', limit: 4_000 },
        'unknown-item': 'warn',
        'before-impression': 'warn',
        'bot-rate': { action: 'warn', limit: 40 },
      },
    ],
    ['mixed', { 'in-the-future': 'off', 'unknown-item': 'off', 'before-impression': 'quarantine', 'bot-rate': { action: 'warn', limit: 60 } }],
  ];

  it.each(charters)(
    'agree on 25,000 records as a batch and as a stream, %s',
    async (_what, choices) => {
      const rows = generate(createRandom(Number(process.env.UNDERSTUDY_TEST_SEED)), 25_000);
      const { batch, stream } = await bothFates({ rows, choices, knownItems: Array.from({ length: 9 }, (_, index) => `1000${index}`) });
      const differing = rows.flatMap((row, index) =>
        batch.fates[index] === stream.fates[index] ? [] : [{ ...row, sql: batch.fates[index], typescript: stream.fates[index] }],
      );
      expect(differing.slice(0, 5)).toEqual([]);
      expect(batch.warnings).toEqual(stream.warnings);
      // What never happens proves nothing: each rule that may put rows aside here has done so, or has warned.
      const met = new Set([...stream.fates, ...Object.keys(stream.warnings)]);
      const active = [...rowRules, ...sequenceRules]
        .map(({ name }) => name)
        .filter((name) => !(name in judgementRules) || (choices[name] !== 'off' && choices[name] !== undefined));
      expect(active.filter((name) => !met.has(name))).toEqual([]);
    },
    60_000,
  );

  it('agree on whatever a row may hold', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(row, soundRow, soundRow), { minLength: 20, maxLength: 60 }), async (rows) => {
        const { batch, stream } = await bothFates({ rows, choices: { 'too-late': 'quarantine' }, knownItems: ['12345'] });
        const both = rows.map((one, index) => ({ ...one, sql: batch.fates[index], typescript: stream.fates[index] }));
        expect(both.filter(({ sql, typescript }) => sql !== typescript)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  }, 60_000);

  it('let through what version 1 of the event contract lets through, and nothing else', () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof(row, soundRow), (one) => {
        const given = Object.fromEntries(Object.entries(one).filter(([field, value]) => value !== null && !['deviceId', 'receivedAtMs'].includes(field)));
        const valid = parseEvent({ ...given, surface: 'home' }).success;
        // The rules ask for more in two things: a day with a year of four digits, and, as version 2 does, what makes a dwell or a rating one.
        const more =
          (one.atMs !== null && one.atMs > 253_402_214_399_999) ||
          (one.kind === 'dwell' && one.dwellMs === null) ||
          (one.kind === 'rating' && one.rating === null);
        if (valid) accepted += 1;
        expect(judgeStream([{ ...one, deviceId: null, receivedAtMs: null }], { choices: { 'in-the-future': 'off' }, context: {} }).fates[0] === null).toBe(
          valid && !more,
        );
      }),
      { numRuns: 3_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('are those that a charter may name', () => {
    expect([...rowRules, ...sequenceRules].map(({ name }) => name).sort()).toEqual([...contractRules, ...Object.keys(judgementRules)].sort());
  });

  it('are named in a charter with what they can do', () => {
    const withRules = (recordRules: unknown) => parseCharter({ ...testCharter(), data: { ...testCharter().data, recordRules } });
    expect(withRules({ 'bot-rate': { action: 'stop', limit: 10 }, 'missing-item': 'stop' }).data.recordRules).toEqual({
      'bot-rate': { action: 'stop', limit: 10 },
      'missing-item': 'stop',
    });
    for (const wrong of [
      { 'missing-item': 'warn' },
      { 'bot-rate': { action: 'warn', limit: 0 } },
      { 'unknown-item': { action: 'warn', limit: 3 } },
      { 'no-such-rule': 'warn' },
    ])
      expect(() => withRules(wrong)).toThrow(/data\/recordRules/);
  });
});
