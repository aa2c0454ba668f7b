import { expect, it } from 'vitest';
import { base, candidate, estimate, items, makeLog, truthOf, type World } from './testing.ts';

const worthOf =
  (own: number, others = 0.05): World['worth'] =>
  (item) =>
    candidate.includes(item) ? own : others;

it('holds the true value and the true lift in its intervals at least as often as it says', () => {
  const rounds = 60;
  const held = { snips: 0, dr: 0, lift: 0 };
  let [bias, half, normal] = [0, 0, 0];
  const truth = truthOf(candidate, worthOf(0.12));
  const lift = truth - truthOf(base, worthOf(0.12));
  for (let round = 0; round < rounds; round += 1) {
    const result = estimate(makeLog({ slates: 3000, seed: 100 + round, worth: worthOf(0.12) }));
    for (const name of ['snips', 'dr'] as const) if ((result[name]?.low ?? 0) <= truth && truth <= (result[name]?.high ?? 0)) held[name] += 1;
    if (result.lift.low <= lift && lift <= result.lift.high) held.lift += 1;
    bias += (result.lift.value - lift) / lift / rounds;
    half += (result.lift.high - result.lift.low) / 2 / rounds;
    normal += (1.96 * (result.standardError ?? 0)) / rounds;
  }
  console.log(
    `held at 95 %: ${JSON.stringify(held)} of ${rounds}; relative bias of the lift ${(bias * 100).toFixed(1)} %; half-width ${half.toFixed(4)}, of a normal interval ${normal.toFixed(4)}`,
  );
  // Binomial: fewer than 51 of 60 at 95 % has probability .001.
  for (const count of Object.values(held)) expect(count).toBeGreaterThanOrEqual(51);
  expect(Math.abs(bias)).toBeLessThan(0.05);
});

it('says better, worse, and not enough evidence where that is the truth', () => {
  expect(estimate(makeLog({ slates: 8000, seed: 2, worth: worthOf(0.12) })).verdict).toBe('better');
  expect(estimate(makeLog({ slates: 8000, seed: 3, worth: worthOf(0.02) })).verdict).toBe('worse');
  expect(estimate(makeLog({ slates: 60, seed: 4, worth: worthOf(0.12) })).verdict).toBe('not-enough-evidence');
});

it('seldom calls a candidate worse that is as good, however rare rewards are and however much it shares with the champion', () => {
  const rounds = 60;
  const cases = [
    { worth: 0.002, slates: 4_000 },
    { worth: 0.02, slates: 1_000 },
    { worth: 0.2, slates: 1_000 },
  ];
  for (const { worth, slates } of cases) {
    const verdicts = { worse: 0, better: 0, 'not-enough-evidence': 0 };
    for (let round = 0; round < rounds; round += 1) {
      // Four of five items are the champion's own.
      const log = makeLog({ slates, seed: 7_000 + round, worth: () => worth, candidate: [...base.slice(0, 4), items[9] as string] });
      verdicts[estimate(log).verdict] += 1;
    }
    console.log(`equal candidate, worth ${worth}, ${slates} slates: ${JSON.stringify(verdicts)} of ${rounds}`);
    // Stated: 2.5 % either way. More than 6 of 60 has probability .0004.
    expect(verdicts.worse).toBeLessThanOrEqual(6);
    expect(verdicts.better).toBeLessThanOrEqual(6);
  }
});

it('has no verdict on a candidate that the log could never have shown', () => {
  const log = makeLog({ slates: 4000, seed: 5, worth: worthOf(0.12) }).map((slate) => ({
    ...slate,
    propensity: (item: string, slot: number) => (candidate.includes(item) ? 0 : slate.propensity(item, slot)),
  }));
  const result = estimate(log);
  expect(result).toMatchObject({ verdict: 'not-enough-evidence', support: 0 });
  expect(result.reason).toMatch(/could have shown 0/);
});

it('adds the worst case of what has no support: without it this candidate would be called worse', () => {
  // What is best of the candidate could not be logged; what could is bad.
  const unseen = candidate[4] as string;
  const worth: World['worth'] = (item) => (item === unseen ? 1 : candidate.includes(item) ? 0.002 : 0.12);
  const log = makeLog({ slates: 20_000, seed: 6, worth }).map((slate) => ({
    ...slate,
    propensity: (item: string, slot: number) => (item === unseen ? 0 : slate.propensity(item, slot)),
  }));
  const result = estimate(log);
  expect(result.support).toBeCloseTo(2.9 / 3.3, 1);
  const { unsupportedAbove = 0, unsupportedBelow = 1 } = result.widenedBy ?? {};
  expect(unsupportedBelow).toBe(0);
  expect(unsupportedAbove).toBeGreaterThan(0.3);
  expect(result.lift.high - unsupportedAbove).toBeLessThan(0);
  expect(result.lift.high).toBeGreaterThan(truthOf(candidate, worth) - truthOf(base, worth));
  expect(result.verdict).toBe('not-enough-evidence');
});

it('answers an empty log without numbers that are not there', () => {
  const result = estimate([]);
  expect(result).toMatchObject({ slates: 0, users: 0, verdict: 'not-enough-evidence' });
  expect(JSON.stringify(result)).not.toMatch(/NaN|Infinity/);
});

it('foretells each indicator by itself', () => {
  const log = makeLog({ slates: 6_000, seed: 8, worth: worthOf(0.12) }).map((slate) => ({
    ...slate,
    kpis: { click: slate.rewards, cart: slate.items.map(() => 0) },
  }));
  const result = estimate(log);
  expect(result.kpis?.click?.lift.value).toBeCloseTo(result.lift.value, 10);
  for (const policy of ['candidate', 'champion'] as const) expect(result.kpis?.cart?.[policy].value).toBeCloseTo(0, 2);
});
