import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { event, eventKinds } from '../../../models/contracts/event.ts';
import { text, withDuck } from '../duckdb.ts';
import { eventColumns } from '../event-columns.ts';
import type { RuleRow } from './record-rule.ts';
import { firstBroken, firstBrokenSql, recordRules } from './registry.ts';
import { inScope } from './scope.ts';

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
    ...Object.fromEntries(keep.map((field) => [field, base[field]])),
  }));

const literal = (value: string | number | null, type: string) => {
  if (value === null) return `CAST(NULL AS ${type})`;
  return typeof value === 'string' ? text(value) : `CAST('${Number.isNaN(value) ? 'nan' : value}' AS ${type})`;
};

describe('record rules', () => {
  it('answer the same in SQL and in TypeScript', async () => {
    const context = { itemIdPattern: '^[0-9]{5}[A-Za-z]*$' };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(row, soundRow, soundRow), { minLength: 20, maxLength: 60 }), async (rows) => {
        const fromSql = await withDuck({ workDir: undefined }, async (duck) => {
          const foreign = rows.map(({ itemId }) => itemId).filter((itemId) => itemId !== null && !inScope(itemId, context)) as string[];
          await duck.run('CREATE TABLE foreign_items (item_id VARCHAR)');
          if (foreign.length > 0) await duck.run(`INSERT INTO foreign_items VALUES ${foreign.map((itemId) => `(${text(itemId)})`).join(', ')}`);
          const values = rows.map((one, index) => `(${[index, ...eventColumns.map(({ field, type }) => literal(one[field], type))].join(', ')})`);
          await duck.run(`CREATE TABLE sample AS SELECT * FROM (VALUES ${values.join(', ')}) t(nth, ${eventColumns.map(({ column }) => column).join(', ')})`);
          const [broken = []] = await duck.columns(`SELECT ${firstBrokenSql()} FROM sample ORDER BY nth`);
          return broken;
        });
        const both = rows.map((one, index) => ({ ...one, sql: fromSql[index], typescript: firstBroken(one, context) }));
        expect(both.filter(({ sql, typescript }) => sql !== typescript)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  }, 30_000);

  it('let through what the event contract lets through, and nothing else', () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof(row, soundRow), (one) => {
        const given = Object.fromEntries(Object.entries(one).filter(([, value]) => value !== null));
        const valid = event.safeParse({ ...given, surface: 'home' }).success;
        // The rules ask for more in one thing: a day with a year of four digits.
        const later = one.atMs !== null && one.atMs > 253_402_214_399_999;
        if (valid) accepted += 1;
        expect(firstBroken(one, {}) === null).toBe(valid && !later);
      }),
      { numRuns: 3_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('have different names', () => {
    expect(new Set(recordRules.map((rule) => rule.name)).size).toBe(recordRules.length);
  });
});
