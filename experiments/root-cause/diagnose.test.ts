import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CauseName, causes, diagnosis, rootCauseFacts } from '../../models/contracts/root-cause.ts';
import { createRandom } from '../../models/random.ts';
import { diagnose } from './diagnose.ts';
import { drawsOf } from './draw-counts.ts';
import { compare } from './expectation.ts';
import { plants } from './plant-causes.ts';
import { drawFacts } from './simulate-facts.ts';
import { drawWorld } from './simulated-world.ts';

const size = { units: 14, slates: [20_000, 20_001] } as const;
const names = Object.keys(causes) as CauseName[];
const seeds = fc.integer({ min: 1, max: 1_000_000 });

function factsWith(seed: number, ...planted: CauseName[]) {
  const world = drawWorld(seed, size);
  for (const cause of planted) plants[cause](world);
  return drawFacts(world);
}

/** Rows in another order. */
function shuffled<T>(rows: readonly T[], seed: number): T[] {
  const random = createRandom(seed);
  const left = [...rows];
  return rows.map(() => left.splice(random.below(left.length), 1)[0] as T);
}

describe('diagnose', () => {
  it('says of each cause what it found, or that it is ruled out, or that it could not be looked at; in the words of the contract', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(seeds, fc.subarray(names, { maxLength: 3 }), (seed, planted) => {
        const found = diagnose(rootCauseFacts.parse(factsWith(seed, ...planted)));
        diagnosis.parse(found);
        const named = new Set([...found.suspects, ...found.ruledOut, ...found.notLookedAt].map(({ cause }) => cause));
        expect([...named].sort()).toEqual(names.toSorted());
        expect(found.suspects.map(({ score }) => score)).toEqual(found.suspects.map(({ score }) => score).toSorted((a, b) => b - a));
        expect(found.layer).toBe(found.suspects[0]?.layer ?? null);
        for (const { score, evidence } of found.suspects) {
          expect(score > 0 && score <= 1).toBe(true);
          expect(evidence.some(({ speaks }) => speaks === 'for')).toBe(true);
        }
      }),
      { numRuns: 12 },
    );
  });

  it('comes to the same in whatever order the rows were read', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(...names), (seed, cause) => {
        const facts = factsWith(seed, cause);
        const other = { ...facts, traffic: shuffled(facts.traffic, seed), events: shuffled(facts.events, seed), catalog: shuffled(facts.catalog, seed) };
        const namesOf = (found: ReturnType<typeof diagnose>) => found.suspects.map((one) => [one.cause, one.where, Number(one.score.toFixed(9))]);
        expect(namesOf(diagnose(other))).toEqual(namesOf(diagnose(facts)));
      }),
      { numRuns: 8 },
    );
  });

  it('names nothing where there is nothing to look at, and says so', () => {
    const facts = factsWith(1);
    const found = diagnose({ ...facts, traffic: [], events: [], catalog: [], replicas: [], deployments: [], model: null });
    expect(found.suspects).toEqual([]);
    expect([found.layer, found.mend, found.change]).toEqual([null, null, null]);
    expect(found.notLookedAt.length).toBeGreaterThan(15);
    const model = { ...(facts.model as NonNullable<typeof facts.model>), window: [] };
    expect(diagnose({ ...facts, model }).notLookedAt.map(({ cause }) => cause)).toEqual(['bad-window']);
  });

  it('blames no window for days of which the champion before it had no more', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const facts = factsWith(seed, 'bad-window');
        const model = facts.model as NonNullable<typeof facts.model>;
        const as = (earlier: (rows: number) => number | null) =>
          diagnose({ ...facts, model: { ...model, window: model.window.map((day) => ({ ...day, before: earlier(day.rows) })) } });
        const causesOf = ({ suspects }: ReturnType<typeof diagnose>) => suspects.map(({ cause }) => cause);
        expect(causesOf(as(() => null))).toContain('bad-window');
        expect(causesOf(as((rows) => 2 * rows + 10))).toContain('bad-window');
        expect(as((rows) => rows).ruledOut.map(({ cause }) => cause)).toContain('bad-window');
      }),
      { numRuns: 10 },
    );
  });

  it('finds a worse artifact also where no client says what was seen', () => {
    const from = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
    let [seen, unseen] = [0, 0];
    for (let seed = from; seed < from + 30; seed += 1) {
      const facts = factsWith(seed, 'new-artifact');
      const isFirst = (one: typeof facts) => (diagnose(one).suspects[0]?.cause === 'new-artifact' ? 1 : 0);
      const traffic = facts.traffic.map((row) => ({ ...row, seen: 0 }));
      seen += isFirst(facts);
      unseen += isFirst({ ...facts, traffic, events: facts.events.filter(({ kind }) => kind !== 'impression') });
    }
    expect(unseen).toBeGreaterThanOrEqual(seen - 6);
    expect(unseen).toBeGreaterThan(10);
  });

  it('with a week or less before the incident only names what tells for itself', () => {
    const facts = factsWith(2, 'fallback', 'stale-deployment');
    const from = facts.units.length - 5;
    const later = <Row extends { unit: number }>(rows: readonly Row[]) =>
      rows.filter(({ unit }) => unit >= from).map((row) => ({ ...row, unit: row.unit - from }));
    const found = diagnose({
      ...facts,
      units: facts.units.slice(from),
      traffic: later(facts.traffic),
      events: later(facts.events),
      catalog: later(facts.catalog),
    });
    expect(found.suspects.map(({ cause }) => cause)).toContain('stale-deployment');
    expect(found.notLookedAt.map(({ cause }) => cause)).toContain('fallback');
  });

  it('does not blame a model for other visitors: what the mix did stands apart from what each sort of them gives', () => {
    const world = drawWorld(7, size);
    const grown = world.cells.filter(({ segment }) => segment === 'new');
    const before = world.now.mix;
    world.now.mix = (cell) => before(cell) * (grown.includes(cell) ? 5 : 1);
    const found = diagnose(drawFacts(world));
    expect(found.suspects.map(({ cause, where }) => [cause, where])).toEqual([['traffic-mix', { segment: 'new' }]]);
    expect(found.mend).toBeNull();
    const { actual, expected, mix, rate } = found.change as NonNullable<typeof found.change>;
    expect(mix / expected).toBeLessThan(-0.08);
    expect(Math.abs(rate)).toBeLessThan(Math.abs(mix));
    expect(actual - expected).toBeCloseTo(mix + rate, 12);
  });

  it('proposes to drain the one replica that has it, and to roll back what all of them have', () => {
    const onOne = drawWorld(11, size);
    const [own] = onOne.replicas;
    onOne.now.slates.push(({ replica }, rates) => Object.assign(rates, replica === own ? { slow: 0.4 } : {}));
    expect(diagnose(drawFacts(onOne)).mend).toMatchObject({ action: 'drain-replica', target: own });
    const onAll = drawWorld(11, size);
    onAll.now.slates.push((_place, rates) => Object.assign(rates, { slow: 0.4 }));
    expect(diagnose(drawFacts(onAll)).mend).toMatchObject({ action: 'rollback' });
  });

  it('says where events are missing', () => {
    const world = drawWorld(13, size);
    const [country] = world.countries;
    world.now.slates.push(({ cell }, rates) => Object.assign(rates, cell.country === country && cell.device === 'ios' ? { kept: 0.1 } : {}));
    expect(diagnose(drawFacts(world)).suspects[0]).toMatchObject({ cause: 'tracking', where: { country, device: 'ios' } });
  });
});

describe('compare', () => {
  it('seldom finds a day unusual among days that are overdispersed and remember the one before', () => {
    const draws = drawsOf(createRandom(Number(process.env.UNDERSTUDY_TEST_SEED ?? 1)));
    const [series, tail] = [2_000, 3.5];
    let off = 0;
    for (let at = 0; at < series; at += 1) {
      const days = draws.factors(29, { deviation: draws.between(0.02, 0.3), memory: draws.between(0, 0.6) });
      const weekly = Array.from({ length: 7 }, () => draws.factor(0.15));
      const level = 10 ** draws.between(1, 4);
      const numerator = days.map((factor, unit) => draws.poisson(level * factor * (weekly[unit % 7] as number)));
      const units = days.map((_, unit) => ({ now: unit === 28, weekday: unit % 7 }));
      if (Math.abs(compare({ units, numerator })?.deviations ?? 0) >= tail) off += 1;
    }
    // 0.05 % of normal figures lie so far out; four in a thousand would be eight times that, and six in a thousand lie beyond any accident of counting.
    expect(off / series).toBeLessThan(0.006);
  });

  it('finds what falls by half, and takes a weekday for what it is', () => {
    const units = Array.from({ length: 29 }, (_, unit) => ({ now: unit === 28, weekday: unit % 7 }));
    const random = drawsOf(createRandom(3));
    const usual = units.map(({ weekday }) => random.poisson(weekday === 0 ? 400 : 1_000));
    expect(Math.abs(compare({ units, numerator: usual })?.deviations ?? 9)).toBeLessThan(3);
    const half = compare({ units, numerator: usual.map((value, unit) => (unit === 28 ? value / 2 : value)) });
    expect(half?.deviations).toBeLessThan(-3.5);
    expect(half?.ratio).toBeCloseTo(0.5, 1);
  });

  it('has no opinion with fewer than seven units, or none now', () => {
    const units = Array.from({ length: 7 }, (_, unit) => ({ now: unit === 6, weekday: unit }));
    expect(compare({ units, numerator: units.map(() => 5) })).toBeUndefined();
    expect(compare({ units: units.map((unit) => ({ ...unit, now: false })), numerator: units.map(() => 5) })).toBeUndefined();
  });
});
