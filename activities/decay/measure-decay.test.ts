import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { decaySettings, type DecaySettings } from '../../experiments/decay/plan-decay.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import { createRandom } from '../../models/random.ts';
import { openEvidence, type Happening } from '../evidence/testing.ts';
import { type DecayInput, measureDecay } from './measure-decay.ts';

/* Dozens of small models, each from days of its own: where two cores are shared by many, that takes its time. */
vi.setConfig({ testTimeout: 120_000 });

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const days = 98;
const items = 60;
const settings: DecaySettings = { ...decaySettings, weeks: [1, 2, 4, 8], months: [1, 2], origins: 2 };

/** What sells best on a day, as an item's number; ranks below it follow. */
type Fashion = (day: number) => number;
const still: Fashion = () => 0;
/** A new best seller every four days, the old ones falling back a place at a time. */
const moving: Fashion = (day) => Math.floor(day / 4);
/** Until five weeks before the end the shop sold other things. */
const season: Fashion = (day) => (day < days - 36 ? 30 : 0);

function purchases(fashion: Fashion, perUser = 50): Happening[] {
  const random = createRandom(seed);
  const happenings: Happening[] = [];
  for (let user = 0; user < 200; user += 1) {
    for (let number = 0; number < perUser; number += 1) {
      const day = random.float() * days;
      const rank = Math.floor(items ** random.float()) - 1;
      happenings.push({ user: `u${user}`, item: `i${(items + fashion(day) - rank) % items}`, atMs: startMs + Math.floor(day * dayMs) });
    }
  }
  // The first and the last day are there whatever was drawn.
  return [...happenings, { user: 'u0', item: 'i0', atMs: startMs }, { user: 'u0', item: 'i0', atMs: startMs + days * dayMs - 1 }];
}

async function open(happenings: readonly Happening[], algorithm = 'popularity', params: Recipe['params'] = {}) {
  const window = { trainDays: 14, gapDays: 1, testDays: 7 };
  const evidence = await openEvidence({ happenings, charter: { window }, nowMs: startMs + (days + 1) * dayMs });
  onTestFinished(() => evidence.close());
  const { charter, dataState, context } = evidence;
  const { confidence, repeatPolicy } = charter;
  const recipe: Recipe = { kind: 'recipe', surface: 'home', candidate: algorithm, algorithm, params, seed: 1, confidence, repeatPolicy, guest: null };
  let clockMs = 0;
  const steps: string[] = [];
  const study = (change: Partial<DecayInput> = {}) =>
    measureDecay(context.state, {
      ...{ data: dataState, charter, recipe, settings, seed: 1, budgetMs: 1e9 },
      now: () => clockMs++,
      onStep: ({ done, total, note }) => void steps.push(`${done}/${total} ${note}`),
      ...change,
    });
  return { ...evidence, recipe, study, steps };
}

describe('where the truth is known', () => {
  it('nothing changes: the curve is flat, and the oldest age will do', async () => {
    const { study } = await open(purchases(still));
    const { ages, recommended, plan } = await study();
    expect(plan).toMatchObject({ trainDays: 14, weeks: [0, 1, 2, 4, 8], origins: [0, 14] });
    for (const { weeks, change, origins } of ages) {
      expect(origins).toBe(2);
      if (weeks === 0) expect(change).toBeNull();
      else expect(Math.abs(change?.value ?? 1)).toBeLessThan(0.05);
    }
    expect(recommended.cadence).toMatchObject({ verdict: 'measured', choice: { weeks: 8 } });
    expect(recommended.mode.choice).toBe('snapshot');
  });

  it('taste moves: the curve falls, further with every age, and the advice is more often than the first age beyond the margin', async () => {
    const { study } = await open(purchases(moving));
    const { ages, recommended } = await study();
    const changes = ages.slice(1).map(({ change }) => change?.value ?? 0);
    // From a week to a month it only falls.
    expect(changes[0]).toBeLessThan(-0.02);
    expect(changes[1]).toBeLessThan(changes[0] as number);
    expect(changes[2]).toBeLessThan(changes[1] as number);
    expect(ages[3]?.change?.high).toBeLessThan(-0.05);
    expect(recommended.cadence.choice.weeks === null || recommended.cadence.choice.weeks <= 2).toBe(true);
    expect(recommended.cadence.says).toContain('more often than every 1 week');
  });

  it('a season ended: old months hurt, and the window is the short one', async () => {
    const { study } = await open(purchases(season));
    const { histories, recommended } = await study({ settings: { ...settings, origins: 1 } });
    const [one, two] = histories;
    expect(one).toMatchObject({ months: 1, days: 30, gainAMonth: null, change: { value: 0 } });
    expect(two?.change?.high).toBeLessThan(0);
    expect(two?.gainAMonth?.high).toBeLessThan(0);
    expect(one?.cost.rows).toBeLessThan(two?.cost.rows ?? 0);
    expect(recommended.window).toMatchObject({ verdict: 'measured', choice: { days: 30 } });
  });

  it('few buy little: the intervals say nothing, and so does the advice', async () => {
    const { study } = await open(purchases(still, 2));
    const { recommended } = await study();
    expect(recommended.cadence.verdict).toBe('not-enough-evidence');
    expect(recommended.cadence.says).toMatch(/^not enough evidence/);
  });
});

it('a model that can begin from an earlier one is measured so too', async () => {
  const { study, steps } = await open(purchases(still, 40), 'ials', { factors: 8, sweeps: 6 });
  const { warm, models } = await study({ settings: { ...settings, weeks: [1, 2], origins: 1, months: [1] } });
  expect(warm).toMatchObject({ steps: 2, origins: 1 });
  expect(Math.abs(warm?.change?.value ?? 1)).toBeLessThan(0.15);
  expect(models).toEqual({ asked: 5, measured: 5, fromEarlier: 0 });
  expect(steps.at(-1)).toMatch(/^5\/5 .*2 weeks from one another/);
});

it('is the same for the same seed, goes on where it was cut off, and measures nothing twice', async () => {
  const { study, context } = await open(purchases(moving, 20));
  let trainings = 0;
  // Each step of the clock is a reading of it: three models, and the time is up.
  const cut = await study({ budgetMs: 8, now: () => trainings++ });
  expect(cut.models.measured).toBeGreaterThan(0);
  expect(cut.models.measured).toBeLessThan(cut.models.asked);
  expect(cut.notes.join()).toContain('were not measured');
  const whole = await study();
  expect(whole.models).toMatchObject({ measured: whole.models.asked, fromEarlier: cut.models.measured });
  const again = await study({ budgetMs: 0 });
  expect(again).toEqual({ ...whole, models: { ...whole.models, fromEarlier: whole.models.asked } });
  // What is kept of it names nobody.
  for (const series of await context.state.generations.series('decay/')) {
    const text = JSON.stringify((await context.state.generations.latest(series))?.document);
    expect(text).not.toMatch(/"u:|u\d+"/);
  }
});

it('of a guest, of too few days and of other data it says so, or measures anew', async () => {
  const { study, recipe, dataState } = await open(purchases(still, 20));
  await expect(study({ recipe: { ...recipe, guest: 'sha256:x' } })).rejects.toMatchObject({ code: 'UND-INPUT' });
  await expect(study({ data: { ...dataState, slices: dataState.slices.slice(-20) } })).rejects.toMatchObject({
    code: 'UND-NO-DATA',
    message: expect.stringContaining('22 days are needed'),
  });
  const small = { ...settings, weeks: [1], months: [1], origins: 1 };
  const { models } = await study({ settings: small });
  expect(models).toMatchObject({ measured: 3, fromEarlier: 0 });
  const without = { ...dataState, slices: dataState.slices.filter((_, place) => place !== dataState.slices.length - 20) };
  expect((await study({ settings: small, data: without })).models.fromEarlier).toBe(0);
  expect((await study({ settings: small })).models.fromEarlier).toBe(3);
});
