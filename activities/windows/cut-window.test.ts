import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UnderstudyError } from '../../models/contracts/problem.ts';
import type { DataState, IngestManifest, SliceReference } from '../../models/contracts/window.ts';
import { cutWindow } from './cut-window.ts';
import { addDays, daysBetween } from './days.ts';
import { mergeDataState } from './merge-data-state.ts';

const digest = (character: string) => `sha256:${character.repeat(64)}`;
const slice = (day: string, mark = 'a', source = 'file', rows = 10): SliceReference => ({
  day,
  digest: digest(mark),
  logicalDigest: digest(mark),
  rows,
  source,
});
const manifestOf = (slices: SliceReference[], surface = 'home'): IngestManifest => ({
  kind: 'ingest',
  surface,
  source: { name: slices[0]?.source ?? 'file', digest: digest('0'), bytes: 1 },
  rulesDigest: digest('1'),
  shiftDays: 0,
  counts: { input: 0, accepted: 0, quarantined: 0, duplicates: 0 },
  acceptedByKind: {},
  quarantineByReason: {},
  quarantine: null,
  catalog: digest('2'),
  slices,
  warnings: [],
});
const merge = (previous: DataState | undefined, slices: SliceReference[]) =>
  mergeDataState({ previous, manifest: manifestOf(slices), manifestDigest: digest('3') });
const charter = (trainDays: number, gapDays: number, testDays: number, rollingOrigins = 1) => ({
  window: { trainDays, gapDays, testDays, rollingOrigins },
  timeZone: 'UTC',
  seed: 1,
});
const cut = (dataState: DataState, window: ReturnType<typeof charter>, asOfDay?: string) =>
  cutWindow({ dataState, charter: window, rulesDigest: digest('1'), asOfDay });
const firstDay = '2026-02-20';
const days = (count: number, from = 0) => Array.from({ length: count }, (_, index) => addDays(firstDay, from + index));

describe('mergeDataState', () => {
  it('appends days, replaces a day of the same source, keeps other sources', () => {
    const first = merge(undefined, [slice('2026-03-02'), slice('2026-03-01')]);
    expect(first).toMatchObject({ generation: 1, slices: [{ day: '2026-03-01' }, { day: '2026-03-02' }] });
    const second = merge(first, [slice('2026-03-02', 'b'), slice('2026-03-03', 'b'), slice('2026-03-02', 'c', 'log')]);
    expect(second.generation).toBe(2);
    expect(second.slices.map(({ day, digest: of, source }) => [day, of[7], source])).toEqual([
      ['2026-03-01', 'a', 'file'],
      ['2026-03-02', 'b', 'file'],
      ['2026-03-02', 'c', 'log'],
      ['2026-03-03', 'b', 'file'],
    ]);
  });

  it('of the same manifest twice is of it once, and the order of sources does not matter', () => {
    const part = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom('a', 'b')), { maxLength: 8 });
    fc.assert(
      fc.property(part, part, (file, log) => {
        const fileSlices = [...new Map(file).entries()].map(([day, mark]) => slice(addDays(firstDay, day), mark, 'file'));
        const logSlices = [...new Map(log).entries()].map(([day, mark]) => slice(addDays(firstDay, day), mark, 'log'));
        const one = merge(merge(undefined, fileSlices), logSlices);
        expect(merge(one, logSlices).slices).toEqual(one.slices);
        expect(merge(merge(undefined, logSlices), fileSlices).slices).toEqual(one.slices);
      }),
    );
  });

  it("refuses another surface's ingest", () => {
    expect(() => mergeDataState({ previous: merge(undefined, [slice(firstDay)]), manifest: manifestOf([], 'other'), manifestDigest: digest('3') })).toThrow(
      /other/,
    );
  });
});

describe('cutWindow', () => {
  it('cuts train, gap and test by time', () => {
    const window = cut(
      merge(
        undefined,
        days(10).map((day) => slice(day)),
      ),
      charter(5, 2, 3),
    );
    expect(window).toMatchObject({
      train: { from: '2026-02-20', to: '2026-02-24' },
      gapDays: 2,
      test: { from: '2026-02-27', to: '2026-03-01' },
      rows: { train: 50, test: 30 },
    });
    expect(window.trainSlices.map(({ day }) => day)).toEqual(days(5));
    expect(window.testSlices.map(({ day }) => day)).toEqual(days(3, 7));
  });

  it('puts no day into two parts, leaves out the gap only, whatever days there are', () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 5 }));
    fc.assert(
      fc.property(
        sizes,
        fc.uniqueArray(fc.integer({ min: 1, max: 22 }), { maxLength: 22 }),
        fc.integer({ min: 16, max: 24 }),
        ([train, gap, test], inner, last) => {
          const offsets = [0, ...inner.filter((offset) => offset < last), last].sort((a, b) => a - b);
          const state = merge(
            undefined,
            offsets.flatMap((offset) => [slice(addDays(firstDay, offset)), slice(addDays(firstDay, offset), 'b', 'log')]),
          );
          const window = attempt(() => cut(state, charter(train, gap, test)));
          if (window === undefined) return;
          expect(daysBetween(window.train.from, window.train.to) + 1).toBe(train);
          expect(daysBetween(window.test.from, window.test.to) + 1).toBe(test);
          expect(daysBetween(window.train.to, window.test.from) - 1).toBe(gap);
          expect(window.test.to).toBe(addDays(firstDay, last));
          const expected = (from: string, to: string) => state.slices.filter(({ day }) => day >= from && day <= to);
          expect(window.trainSlices).toEqual(expected(window.train.from, window.train.to));
          expect(window.testSlices).toEqual(expected(window.test.from, window.test.to));
          expect(new Set([...window.trainSlices, ...window.testSlices].map(({ day, source }) => `${day} ${source}`)).size).toBe(
            window.trainSlices.length + window.testSlices.length,
          );
        },
      ),
    );
  });

  it('rotates: a new day drops the oldest and adds one, exactly once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 0, max: 2 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 5 }),
        (train, gap, test, more) => {
          const needed = train + gap + test;
          let state = merge(
            undefined,
            days(needed).map((day) => slice(day)),
          );
          let before = cut(state, charter(train, gap, test));
          for (let step = 0; step < more; step += 1) {
            state = merge(state, [slice(addDays(firstDay, needed + step))]);
            state = merge(state, [slice(addDays(firstDay, needed + step))]);
            const after = cut(state, charter(train, gap, test));
            expect(after.trainSlices.map(({ day }) => day)).toEqual(before.trainSlices.map(({ day }) => addDays(day, 1)));
            expect(after.testSlices.map(({ day }) => day)).toEqual(before.testSlices.map(({ day }) => addDays(day, 1)));
            before = after;
          }
          expect(cut(state, charter(train, gap, test), addDays(firstDay, needed - 1))).toEqual(
            cut(
              merge(
                undefined,
                days(needed).map((day) => slice(day)),
              ),
              charter(train, gap, test),
            ),
          );
        },
      ),
    );
  });

  it('cuts the earlier splits that are asked for, each as it would have been cut then', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 2 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 12 }),
        (train, gap, test, origins, more) => {
          const there = train + gap + test + more;
          const state = merge(
            undefined,
            days(there).map((day) => slice(day)),
          );
          const { earlier = [], ...own } = cut(state, charter(train, gap, test, origins));
          expect(own).toEqual(cut(state, charter(train, gap, test)));
          expect(earlier).toHaveLength(Math.min(origins - 1, Math.floor(more / test)));
          for (const [index, split] of earlier.entries()) {
            const then = cut(state, charter(train, gap, test), addDays(own.test.to, -(index + 1) * test));
            expect(split).toEqual({ train: then.train, test: then.test, trainSlices: then.trainSlices, testSlices: then.testSlices });
          }
        },
      ),
    );
  });

  it('says how many days are missing, and which part is empty', () => {
    const state = merge(
      undefined,
      days(6).map((day) => slice(day)),
    );
    expect(problem(() => cut(state, charter(5, 1, 3)))).toMatchObject({
      code: 'UND-NO-DATA',
      message: expect.stringContaining('needs 9 days (5 to train, 1 of gap, 3 to test) and has 6, 2026-02-20 to 2026-02-25: 3 are missing'),
      details: { missingDays: 3 },
    });
    expect(problem(() => cut(state, charter(1, 0, 1), '2026-01-01'))).toMatchObject({
      code: 'UND-NO-DATA',
      message: expect.stringContaining('no events up to 2026-01-01'),
    });
    const sparse = merge(undefined, [slice(firstDay), slice(addDays(firstDay, 9))]);
    expect(problem(() => cut(sparse, charter(3, 1, 2)))).toMatchObject({ code: 'UND-NO-DATA', message: expect.stringContaining('no events to train on') });
  });
});

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

function problem(act: () => unknown): UnderstudyError {
  try {
    act();
  } catch (error) {
    return error as UnderstudyError;
  }
  throw new Error('nothing was thrown');
}
