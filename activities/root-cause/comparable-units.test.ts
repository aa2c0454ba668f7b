import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comparableUnits, unitsSince } from './comparable-units.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const plain = { timeZone: 'Europe/London', promotions: [], promotion: null, exact: false };

describe('units that can be compared', () => {
  it('are the same hours of the clock of 28 days, also where the clock was changed', () => {
    // The clocks went forward on 2026-03-29.
    const fromMs = Date.parse('2026-04-02T09:00:00Z');
    const units = comparableUnits({ ...plain, fromMs, toMs: fromMs + 3 * hourMs });
    expect(units).toHaveLength(29);
    expect(units.at(-1)).toEqual({ fromMs, toMs: fromMs + 3 * hourMs, now: true, weekday: 3, promotion: null });
    expect(units.at(-2)?.fromMs).toBe(fromMs - dayMs);
    expect(units.find((unit) => unit.fromMs === Date.parse('2026-03-28T10:00:00Z'))?.weekday).toBe(5);
  });

  it('are as many of the incident as it has days, and an hour at least', () => {
    const toMs = Date.parse('2026-06-10T00:00:00Z');
    expect(comparableUnits({ ...plain, fromMs: toMs - 2.5 * dayMs, toMs }).filter((unit) => unit.now)).toHaveLength(3);
    expect(comparableUnits({ ...plain, fromMs: toMs - 60_000, toMs }).at(-1)?.fromMs).toBe(toMs - hourMs);
    const since = comparableUnits({ ...plain, fromMs: toMs - 60_000, toMs, exact: true });
    expect(since.slice(-2).map((unit) => [unit.fromMs, unit.toMs])).toEqual([
      [toMs - dayMs - hourMs, toMs - dayMs],
      [toMs - 60_000, toMs],
    ]);
  });

  it('know of promotions', () => {
    const fromMs = Date.parse('2026-06-10T00:00:00Z');
    const promotions = [{ fromMs: fromMs - 7 * dayMs, toMs: fromMs - 6.5 * dayMs, what: 'a sale' }];
    const units = comparableUnits({ ...plain, promotions, promotion: 'free delivery', fromMs, toMs: fromMs + hourMs });
    expect(units.filter((unit) => unit.promotion !== null).map((unit) => [unit.fromMs, unit.promotion])).toEqual([
      [fromMs - 7 * dayMs, 'a sale'],
      [fromMs, 'free delivery'],
    ]);
  });

  it('leave out those from before the log began', () => {
    const toMs = Date.parse('2026-06-10T00:00:00Z');
    const units = comparableUnits({ ...plain, fromMs: toMs - hourMs, toMs });
    expect(unitsSince(units, toMs - 3 * dayMs - hourMs + 1000)).toHaveLength(4);
  });

  it('never overlap, all have one length, and the last one ends with the incident', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 }),
        fc.integer({ min: 1, max: 5 * dayMs }),
        fc.constantFrom('UTC', 'Europe/London', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe'),
        (toMs, lengthMs, timeZone) => {
          const units = comparableUnits({ ...plain, timeZone, fromMs: toMs - lengthMs, toMs });
          expect(units.at(-1)?.toMs).toBe(toMs);
          expect(new Set(units.map((unit) => unit.toMs - unit.fromMs)).size).toBe(1);
          // A day of 23 hours is an hour of two days.
          for (const [index, unit] of units.slice(1).entries()) expect(unit.fromMs).toBeGreaterThanOrEqual((units[index]?.toMs ?? 0) - hourMs);
        },
      ),
    );
  });
});
