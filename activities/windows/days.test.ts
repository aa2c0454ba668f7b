import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withDuck } from '../events/duckdb.ts';
import { daySql } from '../events/write-slices.ts';
import { addDays, dayIn, daysBetween, dayStartMs } from './days.ts';

const hourMs = 3_600_000;
/** Summer time at other hours and dates, half hours, a midnight that did not exist, a day that never was. */
const zones = [
  'UTC',
  'Europe/London',
  'America/New_York',
  'America/Sao_Paulo',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'America/St_Johns',
  'Africa/Casablanca',
];

describe('calendar days', () => {
  it('have 23 and 25 hours when the clock changes', () => {
    const hoursOf = (zone: string, day: string) => (dayStartMs(zone, addDays(day, 1)) - dayStartMs(zone, day)) / hourMs;
    expect(['2026-03-28', '2026-03-29', '2026-10-25'].map((day) => hoursOf('Europe/London', day))).toEqual([24, 23, 25]);
    expect(['2026-03-08', '2026-11-01'].map((day) => hoursOf('America/New_York', day))).toEqual([23, 25]);
    expect(hoursOf('Australia/Lord_Howe', '2026-04-05')).toBe(24.5);
    // At midnight the clock went to one: the day began there.
    expect(new Date(dayStartMs('America/Sao_Paulo', '2018-11-04')).toISOString()).toBe('2018-11-04T03:00:00.000Z');
    expect(hoursOf('America/Sao_Paulo', '2018-11-04')).toBe(23);
  });

  it('are the same in SQL as in TypeScript, and each instant is in one', async () => {
    // Around the changes of the clock, and anywhere else.
    const changes = [
      '2026-03-29T01:00Z',
      '2026-10-25T01:00Z',
      '2026-03-08T07:00Z',
      '2026-11-01T06:00Z',
      '2018-11-04T03:00Z',
      '2018-02-18T02:00Z',
      '2026-04-04T15:00Z',
      '2011-12-30T10:00Z',
      '2011-11-06T02:31Z',
    ].map(Date.parse);
    const instant = fc.oneof(
      fc.tuple(fc.constantFrom(...changes), fc.integer({ min: -26 * hourMs, max: 26 * hourMs })).map(([at, by]) => at + by),
      fc.integer({ min: Date.UTC(1971, 0), max: Date.UTC(2037, 0) }),
    );
    await withDuck({ workDir: undefined }, async (duck) => {
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...zones), fc.array(instant, { minLength: 1, maxLength: 60 }), async (zone, instants) => {
          const [days] = await duck.columns(`SELECT ${daySql(zone)} FROM (SELECT unnest([${instants.join(', ')}]) AS at_ms)`);
          expect(days).toEqual(instants.map((atMs) => dayIn(zone, atMs)));
        }),
        { numRuns: 60 },
      );
    });
    fc.assert(
      fc.property(fc.constantFrom(...zones.filter((zone) => !['Pacific/Apia', 'America/St_Johns'].includes(zone))), instant, (zone, atMs) => {
        const day = dayIn(zone, atMs);
        expect(dayStartMs(zone, day)).toBeLessThanOrEqual(atMs);
        expect(dayStartMs(zone, addDays(day, 1))).toBeGreaterThan(atMs);
        expect(dayIn(zone, dayStartMs(zone, day))).toBe(day);
      }),
      { numRuns: 300 },
    );
  }, 30_000);

  it('are counted on the calendar, whatever their hours', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1971-01-01'), max: new Date('2037-01-01'), noInvalidDate: true }),
        fc.integer({ min: -3_000, max: 3_000 }),
        (date, days) => {
          const day = date.toISOString().slice(0, 10);
          expect(daysBetween(day, addDays(day, days))).toBe(days);
        },
      ),
    );
  });
});
