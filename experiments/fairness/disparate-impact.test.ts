import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disparateImpact as schema } from '../../models/contracts/audit-measures.ts';
import { createRandom, type Random } from '../../models/random.ts';
import { wilsonInterval } from '../binomial.ts';
import { disparateImpact, type ImpactUnit } from './disparate-impact.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const measures = [
  { name: 'reward', most: 1 },
  { name: 'diversity', most: 1 },
];

/** A reward of 1 with the rate, and a diversity about one half, whoever it is. */
const unitOf = (random: Random, rate: number, groups: ImpactUnit['groups']): ImpactUnit => ({
  figures: { reward: random.float() < rate ? 1 : 0, diversity: (random.float() + random.float()) / 2 },
  groups,
});

type Group = { name: string; units: number; rate: number };
const drawn = (random: Random, groups: readonly Group[]) =>
  groups.flatMap(({ name, units, rate }) =>
    Array.from({ length: units }, () => unitOf(random, rate, { country: name, device: random.float() < 0.3 ? 'phone' : 'desk' })),
  );
const verdictOf = (found: ReturnType<typeof disparateImpact>, value: string, measure: string) =>
  found.groups.find(({ columns, values }) => columns.length === 1 && values[0] === value)?.measures.find(({ name }) => name === measure)?.verdict;

describe('disparate impact', () => {
  it('finds the group that gets half of what others get, says of none other that it is broken, and gives no figure of a small one', () => {
    const random = createRandom(seed);
    const units = drawn(random, [
      { name: 'at', units: 6000, rate: 0.3 },
      { name: 'de', units: 9000, rate: 0.3 },
      { name: 'it', units: 1500, rate: 0.15 },
      { name: 'mt', units: 40, rate: 0 },
    ]);
    const found = schema.parse(disparateImpact({ units, measures, columns: ['country', 'device'], seed }));
    expect(verdictOf(found, 'it', 'reward')).toBe('broken');
    expect(verdictOf(found, 'de', 'reward')).toBe('holds');
    expect(verdictOf(found, 'it', 'diversity')).toBe('holds');
    expect(verdictOf(found, 'phone', 'diversity')).toBe('holds');
    expect(found.verdict).toBe('broken');
    expect(verdictOf(found, 'mt', 'reward')).toBeUndefined();
    expect(found.leftOut).toContainEqual({ columns: ['country'], groups: 1, units: 40 });
    const intersections = found.groups.filter(({ columns }) => columns.length === 2);
    expect(intersections).toHaveLength(6);
    expect(intersections.find(({ values }) => values.join() === 'it,desk')?.measures[0]?.ratio?.value).toBeLessThan(0.7);
    const reward = found.groups.find(({ values }) => values[0] === 'it')?.measures[0];
    expect(reward?.mean.low).toBeLessThan(0.15);
    expect(reward?.mean.high).toBeGreaterThan(0.15);
  });

  it('finds what only the intersection shows', () => {
    const random = createRandom(seed);
    const units = Array.from({ length: 24_000 }, (_, number) => {
      const [country, device] = [number % 2 === 0 ? 'at' : 'de', number % 3 === 0 ? 'phone' : 'desk'];
      return unitOf(random, (country === 'at') === (device === 'phone') ? 0.15 : 0.4, { country, device });
    });
    const found = disparateImpact({ units, measures, columns: ['country', 'device'], seed });
    const broken = found.groups.filter((group) => group.measures.some(({ verdict }) => verdict === 'broken')).map(({ values }) => values.join());
    expect(broken).toEqual(expect.arrayContaining(['at,phone', 'de,desk']));
    expect(broken).not.toContain('at,desk');
  });

  it('calls hardly any group broken where a group has just four fifths, rewards are rare and sizes differ', () => {
    const random = createRandom(seed);
    const trials = 200;
    let alarms = 0;
    for (let trial = 0; trial < trials; trial += 1) {
      const units = drawn(random, [
        { name: 'a', units: 2000, rate: 0.025 },
        { name: 'b', units: 110, rate: 0.02 },
        { name: 'c', units: 400, rate: 0.02 },
        { name: 'd', units: 130, rate: 0.025 },
      ]);
      if (disparateImpact({ units, measures, columns: ['country', 'device'], seed: trial }).groups.some(isBroken)) alarms += 1;
    }
    expect(wilsonInterval({ count: alarms, of: trials, level: 0.9999 })[0]).toBeLessThanOrEqual(0.05);
  });

  it('holds all against the best, and says nothing of a column with one group', () => {
    const random = createRandom(seed);
    const units = drawn(random, [
      { name: 'a', units: 4000, rate: 0.6 },
      { name: 'b', units: 4000, rate: 0.3 },
      { name: 'c', units: 4000, rate: 0.3 },
    ]).map((unit) => ({ ...unit, groups: { country: unit.groups.country, shop: 'one' } }));
    const best = disparateImpact({ units, measures, columns: ['country', 'shop'], seed });
    expect(['a', 'b', 'c'].map((name) => verdictOf(best, name, 'reward'))).toEqual(['holds', 'broken', 'broken']);
    expect(best.groups.find(({ values }) => values[0] === 'one')?.measures[0]).toMatchObject({ ratio: null, verdict: 'not-enough-evidence' });
  });

  it('says the same whatever groups are called, and refuses figures beyond their bound', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('x', 'y', 'z'), fc.float({ min: 0, max: 1, noNaN: true })), { minLength: 1, maxLength: 60 }), (rows) => {
        const of = (rename: (name: string) => string) =>
          disparateImpact({
            units: rows.map(([name, value]) => ({ figures: { reward: value, diversity: null }, groups: { country: rename(name) } })),
            measures,
            columns: ['country'],
            minUnits: 2,
            seed: 1,
          });
        const [plain, renamed] = [of((name) => name), of((name) => `q${name}`)];
        expect(renamed.groups.map(({ measures: own }) => own)).toEqual(plain.groups.map(({ measures: own }) => own));
        for (const { measures: own } of plain.groups)
          for (const { ratio, mean, units, name } of own) {
            expect(name).toBe('reward');
            expect(units).toBeGreaterThanOrEqual(2);
            expect(mean.low).toBeLessThanOrEqual(mean.value);
            if (ratio !== null) expect([ratio.low, ratio.value, ratio.high]).toEqual([ratio.low, ratio.value, ratio.high].toSorted((a, b) => a - b));
          }
      }),
    );
    const units = Array.from({ length: 5 }, () => ({ figures: { reward: 2 }, groups: { country: 'x' } }));
    expect(() => disparateImpact({ units, measures, columns: ['country'], minUnits: 1, seed })).toThrow(expect.objectContaining({ code: 'UND-INPUT' }));
  });
});

const isBroken = ({ measures: own }: ReturnType<typeof disparateImpact>['groups'][number]) => own.some(({ verdict }) => verdict === 'broken');
