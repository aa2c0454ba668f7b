import { describe, expect, it } from 'vitest';
import { isWellFormed } from '../pictures/testing.ts';
import { decayPicture } from './decay-picture.ts';
import type { AgePoint, DecayFacts, HistoryPoint } from './decay-study.ts';
import { recommendRefresh } from './recommend-refresh.ts';

type Change = [value: number, low: number, high: number] | null;
const interval = (change: Change) => (change === null ? null : { value: change[0], low: change[1], high: change[2] });
const cost = { rows: 1_000, seconds: 5 };
const age = (weeks: number, change: Change): AgePoint => ({
  weeks,
  origins: 2,
  users: 500,
  quality: interval([0.2, 0.1, 0.3]),
  change: interval(change),
  cost,
});
const length = (months: number, change: Change): HistoryPoint => ({
  ...{ months, days: months * 30, origins: 2, users: 500, quality: interval([0.2, 0.1, 0.3]), change: interval(change), gainAMonth: null, cost },
});
const fresh = age(0, null);
const best: Change = [0, 0, 0];
const advise = (facts: Partial<DecayFacts>) => recommendRefresh({ ages: [fresh], histories: [], warm: null, margin: 0.05, ...facts });

describe('cadence', () => {
  const cadence = (...ages: AgePoint[]) => advise({ ages: [fresh, ...ages] }).cadence;

  it('is the oldest age up to which no more than the margin is lost, whole intervals counted', () => {
    expect(cadence(age(1, [-0.01, -0.03, 0]), age(2, [-0.02, -0.05, 0]), age(4, [-0.03, -0.06, 0]))).toMatchObject({
      verdict: 'measured',
      choice: { weeks: 2 },
      says: 'every 2 weeks: up to there no more than 5.0 % is lost, at 4 weeks it may be more (at no measured age is the loss itself beyond it)',
    });
    expect(cadence(age(1, [-0.01, -0.03, 0]), age(2, [-0.08, -0.1, -0.06])).says).toContain('the loss itself is beyond it from 2 weeks on');
    // One that holds again behind one that does not is no reason to wait for it.
    expect(cadence(age(1, [0, -0.01, 0.01]), age(2, [-0.1, -0.12, -0.08]), age(4, [0, -0.01, 0.01])).choice.weeks).toBe(1);
  });
  it('is as long as was measured where nothing is lost', () => {
    expect(cadence(age(1, [0.01, -0.01, 0.02]), age(8, [0, -0.02, 0.02]))).toMatchObject({ verdict: 'measured', choice: { weeks: 8 } });
  });
  it('is more often than the first age where that loses too much, or may', () => {
    expect(cadence(age(1, [-0.1, -0.12, -0.08]))).toMatchObject({ verdict: 'measured', choice: { weeks: null } });
    expect(cadence(age(1, [-0.04, -0.12, 0.08]))).toMatchObject({ verdict: 'not-enough-evidence', choice: { weeks: null } });
    expect(cadence(age(1, null))).toMatchObject({ verdict: 'not-enough-evidence', because: ['1 week old: not known against a fresh model'] });
    expect(cadence()).toMatchObject({ verdict: 'not-enough-evidence' });
  });
});

describe('window', () => {
  const window = (...histories: HistoryPoint[]) => advise({ histories }).window;

  it('is the shortest that cannot be told from the best and is not much worse', () => {
    expect(window(length(1, [-0.2, -0.22, -0.18]), length(2, [-0.01, -0.03, 0.01]), length(3, best))).toMatchObject({
      verdict: 'measured',
      choice: { days: 60 },
    });
    // Worse for sure, if by little.
    expect(window(length(1, [-0.02, -0.03, -0.01]), length(2, best))).toMatchObject({ choice: { days: 60 } });
    expect(window(length(1, best), length(2, [-0.1, -0.12, -0.08]))).toMatchObject({ verdict: 'measured', choice: { days: 30 } });
  });
  it('says where a shorter one might do and nobody knows', () => {
    const advice = window(length(1, [-0.02, -0.1, 0.06]), length(2, [-0.01, -0.03, 0.01]), length(3, best));
    expect(advice).toMatchObject({ verdict: 'not-enough-evidence', choice: { days: 60 } });
    expect(advice.says).toMatch(/^not enough evidence that 1 month would do/);
    expect(window(length(1, null), length(2, null))).toMatchObject({ verdict: 'not-enough-evidence', choice: { days: 60 } });
    expect(window(length(1, best))).toMatchObject({ verdict: 'not-enough-evidence', choice: { days: null } });
  });
});

describe('snapshot or delta', () => {
  const mode = (change: Change, seconds: number) => {
    const cold = { rows: 1_000, seconds };
    const ages = [{ ...fresh, cost: cold }, age(1, [0, -0.01, 0.01])];
    return advise({ ages, warm: { steps: 4, origins: 2, users: 500, change: interval(change), cost: { rows: 1_000, seconds: seconds / 3 }, cold } }).mode;
  };
  it('is a delta where a refit is dear and a delta loses nothing', () => {
    expect(mode([0, -0.02, 0.02], 20_000)).toMatchObject({ choice: 'delta', verdict: 'measured' });
    expect(mode([0, -0.02, 0.02], 20)).toMatchObject({ choice: 'snapshot', verdict: 'measured' });
    expect(mode([-0.1, -0.12, -0.08], 20_000)).toMatchObject({ choice: 'snapshot', verdict: 'measured' });
    expect(mode([-0.04, -0.12, 0.08], 20_000)).toMatchObject({ choice: 'snapshot', verdict: 'not-enough-evidence' });
    expect(advise({}).mode).toMatchObject({ choice: 'snapshot' });
  });
});

describe('the picture', () => {
  const ages = [fresh, age(1, [-0.01, -0.03, 0]), age(4, [-0.08, -0.1, -0.06])];
  const histories = [length(1, [-0.2, -0.25, -0.15]), length(6, best)];
  const picture = (facts: Pick<DecayFacts, 'ages' | 'histories'>) =>
    decayPicture({ title: 'home & <garden>', metric: 'ndcg@10', margin: 0.05, ...facts, recommended: advise(facts) });

  it('has a point each age and length with its interval, and fills what is recommended', () => {
    const svg = picture({ ages, histories });
    expect(isWellFormed(svg)).toBe(true);
    expect(svg).toContain('home &amp; &lt;garden&gt;');
    expect(svg.match(/<circle/g)).toHaveLength(5);
    expect(svg.match(/<circle[^>]*fill="#1d4ed8"/g)).toHaveLength(2);
    // Within the page, none beyond its panel.
    for (const [, y = ''] of svg.matchAll(/cy="([^"]*)"/g)) {
      expect(Number(y)).toBeGreaterThan(90);
      expect(Number(y)).toBeLessThan(322);
    }
  });
  it('says so where nothing was measured', () => {
    const svg = picture({ ages: [fresh], histories: [] });
    expect(isWellFormed(svg)).toBe(true);
    expect(svg.match(/not measured</g)).toHaveLength(2);
  });
});
