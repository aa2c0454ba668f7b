import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { estimateCounterfactual, type LoggedSlate } from './estimate-counterfactual.ts';
import { estimateExamination } from './examination.ts';
import { effectiveSampleSize, ips, snips, weightedSums } from './weighted-mean.ts';

describe('IPS and SNIPS on the Open Bandit log', () => {
  type Row = { position: string; item: number; click: number; propensity: number };
  const read = (name: string): Row[] =>
    gunzipSync(readFileSync(new URL(`fixtures/${name}.csv.gz`, import.meta.url)))
      .toString('utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => {
        const [position = '', item, click, propensity] = line.split(',');
        return { position, item: Number(item), click: Number(click), propensity: Number(propensity) };
      });

  // From random to bts; the target is the items' frequency by position in the bts log, plus one. Known to 10 digits.
  it.each([
    ['men', 0.0056457422, 0.0057283267, 2911.7, 7.4189],
    ['women', 0.0057893449, 0.0058162454, 3554.8, 6.2936],
  ])('%s', (campaign, expectedIps, expectedSnips, expectedEss, expectedMax) => {
    const logged = read(`random-${campaign}`);
    const target = read(`bts-${campaign}`);
    const itemCount = Math.max(...logged.map((row) => row.item), ...target.map((row) => row.item)) + 1;
    const counts = new Map<string, number>();
    const totals = new Map<string, number>();
    for (const { position, item } of target) {
      counts.set(`${position}/${item}`, (counts.get(`${position}/${item}`) ?? 0) + 1);
      totals.set(position, (totals.get(position) ?? itemCount) + 1);
    }
    const weights = logged.map(({ position, item, propensity }) => ((counts.get(`${position}/${item}`) ?? 0) + 1) / (totals.get(position) ?? 1) / propensity);
    const rewards = logged.map((row) => row.click);
    expect(ips(weightedSums({ weights, rewards }))).toBeCloseTo(expectedIps, 10);
    expect(snips(weightedSums({ weights, rewards }))).toBeCloseTo(expectedSnips, 10);
    expect(effectiveSampleSize(weights)).toBeCloseTo(expectedEss, 1);
    expect(Math.max(...weights)).toBeCloseTo(expectedMax, 4);
  });
});

describe('examination', () => {
  it('never rises, begins at 1, and finds the truth', () => {
    const truth = [1, 0.7, 0.5, 0.3];
    const random = createRandom(5);
    const explored = Array.from({ length: 40_000 }, () => {
      const slot = random.below(4);
      return { slot, engaged: random.float() < 0.1 * (truth[slot] ?? 0) };
    });
    const examination = estimateExamination({ explored, size: 4 });
    for (const [slot, value] of truth.entries()) expect(Math.abs((examination[slot] ?? 0) - value)).toBeLessThan(0.08);
  });

  it('is monotone on any log', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ slot: fc.integer({ min: 0, max: 9 }), engaged: fc.boolean() })), (explored) => {
        const examination = estimateExamination({ explored, size: 10 });
        expect(examination[0]).toBe(1);
        for (let slot = 1; slot < 10; slot += 1) expect(examination[slot]).toBeLessThanOrEqual((examination[slot - 1] ?? 0) + 1e-12);
      }),
    );
  });
});

describe('slates', () => {
  const size = 5;
  const items = Array.from({ length: 30 }, (_, index) => `i${index}`);
  const examination = [1, 0.8, 0.6, 0.5, 0.4];
  /** Champion: i0..i4. Pool: the rest, of which the challenger's i10..i14. */
  const base = items.slice(0, size);
  const pool = items.slice(size);
  const weights = pool.map((_, rank) => 1 / (rank + 6));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const probabilities = weights.map((weight) => weight / total);
  const candidate = items.slice(8, 8 + size);

  const cumulative = probabilities.map((_, place) => probabilities.slice(0, place + 1).reduce((sum, probability) => sum + probability, 0));

  type Log = { slates: number; seed: number; better: boolean; worth?: (item: string) => number };
  function logOf({ slates, seed, better, worth = (item) => (candidate.includes(item) ? (better ? 0.12 : 0.02) : 0.05) }: Log): LoggedSlate[] {
    const random = createRandom(seed);
    return Array.from({ length: slates }, (_, number) => {
      const slot = random.below(size);
      const draw = random.float();
      const drawn = pool[cumulative.findIndex((sum) => draw < sum)] ?? (pool.at(-1) as string);
      const shown = base.map((item, place) => (place === slot ? drawn : item));
      const rewards = shown.map((item, place) => (random.float() < (examination[place] ?? 0) * worth(item) ? 1 : 0));
      return {
        unit: `u${Math.floor(number / 2)}`,
        items: shown,
        rewards,
        engaged: rewards.map((reward) => reward > 0),
        base,
        exploredSlots: [slot],
        propensity: (item, place) => (base[place] === item ? 1 - 1 / size : base.includes(item) ? 0 : (probabilities[pool.indexOf(item)] ?? 0) / size),
        candidate,
        champion: base,
      };
    });
  }
  const truthOf = (worth: number) => examination.reduce((sum, value) => sum + value * worth, 0);
  const estimate = (log: LoggedSlate[]) =>
    estimateCounterfactual({ log, voided: 0, size, maxReward: 1, minEffectiveSampleSize: 50, seed: 1, replications: 200 });

  it('holds the true value in its interval about as often as it says', () => {
    let heldCandidate = 0;
    let heldLift = 0;
    let bias = 0;
    const rounds = 60;
    for (let round = 0; round < rounds; round += 1) {
      const result = estimate(logOf({ slates: 3000, seed: 100 + round, better: true }));
      const truth = truthOf(0.12);
      if (result.snips.low <= truth && truth <= result.snips.high) heldCandidate += 1;
      const lift = truth - truthOf(0.05);
      if (result.lift.low <= lift && lift <= result.lift.high) heldLift += 1;
      bias += (result.snips.value - truth) / truth / rounds;
    }
    console.log(
      `95 % intervals held the candidate's value ${heldCandidate} and the lift ${heldLift} times of ${rounds}; mean relative bias of SNIPS ${(bias * 100).toFixed(1)} %`,
    );
    expect(heldCandidate).toBeGreaterThanOrEqual(0.85 * rounds);
    expect(heldLift).toBeGreaterThanOrEqual(0.85 * rounds);
    expect(Math.abs(bias)).toBeLessThan(0.05);
  });

  it('says better, worse, and not enough evidence where that is the truth', () => {
    expect(estimate(logOf({ slates: 8000, seed: 2, better: true })).verdict).toBe('better');
    expect(estimate(logOf({ slates: 8000, seed: 3, better: false })).verdict).toBe('worse');
    expect(estimate(logOf({ slates: 60, seed: 4, better: true })).verdict).toBe('not-enough-evidence');
  });

  it('seldom calls a candidate worse that is as good, however rare rewards are and however much it shares with the champion', () => {
    const rounds = 100;
    const cases = [
      { worth: 0.002, slates: 4_000 },
      { worth: 0.02, slates: 1_000 },
    ];
    for (const { worth, slates } of cases) {
      const verdicts = { worse: 0, better: 0, 'not-enough-evidence': 0 };
      for (let round = 0; round < rounds; round += 1) {
        // Four of five items are the champion's own.
        const log = logOf({ slates, seed: 7_000 + round, better: true, worth: () => worth }).map((slate) => ({
          ...slate,
          candidate: [...base.slice(0, 4), items[9] as string],
        }));
        verdicts[estimateCounterfactual({ log, voided: 0, size, maxReward: 1, minEffectiveSampleSize: 50, seed: 1, replications: 20 }).verdict] += 1;
      }
      console.log(`equal candidate, worth ${worth}, ${slates} slates: ${JSON.stringify(verdicts)} of ${rounds}`);
      // Stated: 2.5 % either way. More than 8 of 100 has probability 0.0006.
      expect(verdicts.worse).toBeLessThanOrEqual(8);
      expect(verdicts.better).toBeLessThanOrEqual(8);
    }
  });

  it('has no verdict on a candidate that the log could never have shown', () => {
    const log = logOf({ slates: 4000, seed: 5, better: true }).map((slate) => ({
      ...slate,
      propensity: (item: string, slot: number) => (candidate.includes(item) ? 0 : slate.propensity(item, slot)),
    }));
    const result = estimate(log);
    expect(result).toMatchObject({ verdict: 'not-enough-evidence', support: 0 });
  });

  it('answers an empty log without numbers that are not there', () => {
    const result = estimate([]);
    expect(result).toMatchObject({ slates: 0, users: 0, verdict: 'not-enough-evidence' });
    expect(JSON.stringify(result)).not.toContain('null');
  });
});
