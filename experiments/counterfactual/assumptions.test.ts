import { expect, it } from 'vitest';
import { exposureBias, spearman } from './exposure-bias.ts';
import { base, candidate, estimate, examination, items, makeLog, truthOf, type World } from './testing.ts';

const checksOf = (world: Omit<World, 'slates'> & { slates?: number }) => {
  const { checks = [] } = estimate(makeLog({ slates: 12_000, ...world }));
  return new Map(checks.map((one) => [one.name, one]));
};
/** The champion's slate with one new item in the middle: its beginning can be shown as a whole. */
const oneNew = [...base.slice(0, 2), items[8] as string, ...base.slice(3)];
const even: World['worth'] = (item) => (candidate.includes(item) ? 0.3 : 0.2);

it('passes where the item-position model holds', () => {
  let failed = 0;
  for (let seed = 1; seed <= 10; seed += 1) {
    for (const wanted of [candidate, oneNew])
      failed += [...checksOf({ seed, worth: even, candidate: wanted, slates: 4000 }).values()].filter((one) => !one.passed).length;
  }
  // 60 tests at .001 each.
  expect(failed).toBeLessThanOrEqual(2);
  const checks = checksOf({ seed: 30, worth: even, candidate: oneNew });
  for (const name of ['slot-ips', 'reward-interaction-ips', 'cascade-dr'] as const) {
    expect(checks.get(name)?.share).toBeGreaterThan(0.6);
    expect(checks.get(name)?.passed).toBe(true);
  }
});

it('slot IPS sees that an item is worth something in its own place only; then there is no verdict', () => {
  // The first place doubles what this item is worth, the others halve it.
  const star = candidate[0] as string;
  const worth: World['worth'] = (item, { slot }) => (item === star ? (slot === 0 ? 0.9 : 0.1) : 0.1);
  const wanted = [star, ...base.slice(0, 4)];
  const log = makeLog({ slates: 12_000, seed: 40, worth, candidate: wanted });
  const result = estimate(log);
  expect(result.checks?.find((one) => one.name === 'slot-ips')).toMatchObject({ passed: false });
  expect(result.verdict).toBe('not-enough-evidence');
  expect(result.reason).toMatch(/slot-ips finds .* the model does not hold/);
});

it('the estimators that look at the whole beginning see that a neighbour takes the attention', () => {
  // Below a drawn item nothing is wanted any more.
  const worth: World['worth'] = (_, { above }) => (above.some((item) => !base.includes(item)) ? 0 : 0.3);
  const wanted = [items[5] as string, ...base.slice(1)];
  const checks = checksOf({ seed: 41, worth, candidate: wanted, slates: 20_000 });
  expect(checks.get('reward-interaction-ips')).toMatchObject({ passed: false });
  expect(checks.get('cascade-dr')).toMatchObject({ passed: false });
  expect(checks.get('slot-ips')).toMatchObject({ passed: true });
});

it('is silent where too few rewards stand', () => {
  const checks = checksOf({ seed: 42, worth: () => 0.01, slates: 100 });
  for (const one of checks.values()) expect(one).toMatchObject({ passed: true, own: null, sentence: expect.stringContaining('too few rewards') });
});

it('the pseudo-inverse is identified where some slates explore nothing, and says so where all do', () => {
  const values: number[] = [];
  const rounds = 30;
  const worth: World['worth'] = (item) => (candidate.includes(item) ? 0.9 : 0.2);
  for (let round = 0; round < rounds; round += 1) {
    const log = makeLog({ slates: 4000, seed: 500 + round, worth, candidate: oneNew, explores: 0.7 });
    const { sensitivity } = estimate(log, { maxReward: 5 });
    expect(sensitivity?.pseudoInverse.share).toBe(1);
    values.push(sensitivity?.pseudoInverse.lift?.value ?? Number.NaN);
  }
  const truth = truthOf(oneNew, worth) - truthOf(base, worth);
  const mean = values.reduce((sum, one) => sum + one, 0) / rounds;
  const error = Math.sqrt(values.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (rounds - 1) / rounds);
  console.log(`pseudo-inverse: lift ${mean.toFixed(4)} ± ${error.toFixed(4)}, true ${truth.toFixed(4)}`);
  expect(error).toBeLessThan(truth / 6);
  expect(Math.abs(mean - truth)).toBeLessThan(4 * error);
  const always = estimate(makeLog({ slates: 500, seed: 1, worth: even })).sensitivity?.pseudoInverse;
  expect(always).toMatchObject({ lift: null, share: 0, sentence: expect.stringContaining('not identified') });
});

it('the marginalized estimate is right where items of one embedding are worth the same, on support that single items lack', () => {
  const group = (item: string) => (candidate.includes(item) || items.indexOf(item) > 24 ? 'good' : 'other');
  const worth: World['worth'] = (item) => (group(item) === 'good' ? 0.3 : 0.1);
  const log = makeLog({ slates: 12_000, seed: 9, worth });
  const { sensitivity } = estimate(log, { group });
  const truth = truthOf(candidate, worth) - truthOf(base, worth);
  const { low = 1, high = 0 } = sensitivity?.marginalized?.lift ?? {};
  expect(low).toBeLessThan(truth);
  expect(high).toBeGreaterThan(truth);
  expect(estimate(log).sensitivity?.marginalized).toBeNull();
});

it('exposure bias: by hand', () => {
  const [slate] = makeLog({ slates: 1, seed: 1, worth: () => 0 });
  if (slate === undefined) throw new Error('no slate');
  const log = [{ ...slate, items: ['a1', 'b1', 'a2'], engaged: [true, false, false], exploredSlots: [2] }];
  const found = exposureBias({ log, examination: Float64Array.from(examination), group: (item) => item.slice(0, 1) });
  expect(found.items).toBe(3);
  expect(found.groups).toEqual([
    { group: 'a', items: 2, exposureShare: expect.closeTo(1.6 / 2.4, 12), engagementShare: 1, rate: 1 / 1.6, rateWhenDrawn: 0 },
    { group: 'b', items: 1, exposureShare: expect.closeTo(0.8 / 2.4, 12), engagementShare: 0, rate: 0, rateWhenDrawn: null },
  ]);
  expect(
    spearman([
      [1, 2],
      [2, 3],
      [3, 9],
    ]),
  ).toBeCloseTo(1, 12);
  // Ranks 1, 2.5, 2.5 against 3, 1, 2: covariance -1.5, variances 1.5 and 2.
  expect(
    spearman([
      [1, 9],
      [2, 1],
      [2, 4],
    ]),
  ).toBeCloseTo(-1.5 / Math.sqrt(3), 12);
  expect(
    spearman([
      [1, 1],
      [2, 1],
    ]),
  ).toBeNull();
});
