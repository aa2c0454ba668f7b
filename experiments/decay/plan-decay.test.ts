import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decaySettings, planDecay } from './plan-decay.ts';

const window = { trainDays: 300, gapDays: 1 };

describe('planDecay', () => {
  it('plans everything where the data go back far enough', () => {
    const plan = planDecay({ days: 900, window, settings: decaySettings });
    expect(plan).toEqual({
      ...{ trainDays: 300, testDays: 7, gapDays: 1, weeks: [0, 1, 2, 4, 8], origins: [0, 14, 28, 42], warmSteps: 4, notes: [] },
      histories: [1, 2, 3, 6, 12].map((months) => ({ months, days: Math.round((months * 365) / 12) })),
    });
  });

  it('a year of data: shorter train parts, and all the history there is instead of twelve months', () => {
    const plan = planDecay({ days: 374, window, settings: decaySettings });
    expect(plan).toMatchObject({ trainDays: 268, origins: [0, 14, 28, 42], weeks: [0, 1, 2, 4, 8] });
    expect(plan.histories.at(-1)).toEqual({ months: 10.7, days: 324 });
    expect(plan.notes).toEqual(['models whose age is measured are trained on 268 days instead of 300', 'the data do not go back for 12 months of history']);
  });

  it('gives up test weeks first, then the oldest ages, and says so', () => {
    expect(planDecay({ days: 230, window, settings: decaySettings })).toMatchObject({ origins: [0, 14], weeks: [0, 1, 2, 4, 8] });
    const little = planDecay({ days: 180, window, settings: decaySettings });
    expect(little).toMatchObject({ origins: [0, 14], weeks: [0, 1], warmSteps: 1 });
    expect(little.notes.slice(0, 2)).toEqual(['the data do not go back for ages of 2, 4, 8 weeks', 'the data go back for 2 of 4 test weeks']);
    expect(planDecay({ days: 165, window, settings: decaySettings })).toMatchObject({ origins: [0], weeks: [0, 1] });
    expect(() => planDecay({ days: 164, window, settings: decaySettings })).toThrow(
      expect.objectContaining({ code: 'UND-NO-DATA', details: { neededDays: 165, days: 164, missingDays: 1 } }),
    );
  });

  it('never plans a day that there is not', () => {
    fc.assert(
      fc.property(
        fc.record({
          days: fc.integer({ min: 1, max: 1_200 }),
          trainDays: fc.integer({ min: 1, max: 500 }),
          gapDays: fc.integer({ min: 0, max: 20 }),
          origins: fc.integer({ min: 1, max: 8 }),
        }),
        ({ days, trainDays, gapDays, origins }) => {
          let plan: ReturnType<typeof planDecay>;
          try {
            plan = planDecay({ days, window: { trainDays, gapDays }, settings: { ...decaySettings, origins } });
          } catch {
            return days < Math.ceil(trainDays / 2) + gapDays + 14;
          }
          const oldest = Math.max(...plan.origins) + plan.testDays + gapDays;
          const longest = Math.max(0, ...plan.histories.map((one) => one.days));
          expect(oldest + 7 * Math.max(...plan.weeks) + plan.trainDays).toBeLessThanOrEqual(days);
          expect(oldest + longest).toBeLessThanOrEqual(days);
          expect(plan.trainDays).toBeGreaterThanOrEqual(Math.ceil(trainDays / 2));
          expect(plan.trainDays).toBeLessThanOrEqual(trainDays);
          expect(plan.weeks).toContain(plan.warmSteps);
          return true;
        },
      ),
    );
  });
});
