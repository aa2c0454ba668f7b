import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../models/random.ts';
import { decideTournament, type Entrant } from './tournament.ts';
import { GroupedMeans } from './ranking/grouped-means.ts';

const metric = 'ndcg@10';
const testSeed = Number(process.env.UNDERSTUDY_TEST_SEED);

function entrant(candidate: string, values: readonly number[], costs: Partial<Entrant> = {}): Entrant {
  const means = new GroupedMeans({ names: [metric, 'other'] });
  for (const value of values) means.add([value, 9]);
  const sums = { kind: 'user-sums' as const, metric, ...means.sumsOf(metric) };
  const runId = `retrain/home/0123456789ab/${candidate}`;
  return { candidate, runId, artifact: `sha256:${'a'.repeat(64)}`, sums, trainSeconds: 1, bytes: 1, p50Ms: 1, p99Ms: 1, ...costs };
}

const hold = (entrants: Entrant[], change: Partial<Parameters<typeof decideTournament>[0]> = {}) =>
  decideTournament({ entrants, margin: 0.05, cheapest: 'training', taken: 1, seed: 1, ...change });
const takenOf = ({ entries }: ReturnType<typeof hold>) => entries.filter(({ isTaken }) => isTaken).map(({ candidate }) => candidate);

/** Users whom two models serve about alike, the second a little better or worse. */
function users(count: number, better: number, seed: number) {
  const random = createRandom(seed);
  const first = Array.from({ length: count }, () => (random.float() < 0.3 ? random.float() : 0));
  return { first, second: first.map((value) => value + better + 0.02 * (random.float() - 0.5)) };
}

it('takes the cheap one where the best is not better beyond the margin, and says so with the figures', () => {
  const { first, second } = users(2_000, 0.001, testSeed);
  const cheap = entrant('ials', first, { trainSeconds: 2 });
  const dear = entrant('sasrec', second, { trainSeconds: 80 });
  const held = hold([cheap, dear]);
  expect(takenOf(held)).toEqual(['ials']);
  expect(held.entries.map(({ candidate }) => candidate)).toEqual(['sasrec', 'ials']);
  expect(held.entries[0]).toMatchObject({ lift: null, isNear: true, isTaken: false });
  expect(held.message).toMatch(/^ials 0\.\d{4} \[0\.\d{4}, 0\.\d{4}\]; sasrec 0\.\d{4} is not better beyond 0\.\d{4} and costs 40 times the training: ials$/);
  expect(held.margin).toBeCloseTo(0.05 * (held.entries[0]?.quality.value as number), 12);
  // By the interval that the report has.
  expect(held.entries[1]?.quality).toEqual(GroupedMeans.ofSums(cheap.sums).intervals({ seed: 1, replications: 500 })[metric]);
  // By another cost it is another one that is cheap.
  expect(takenOf(hold([{ ...cheap, bytes: 9 }, dear], { cheapest: 'size' }))).toEqual(['sasrec']);
  expect(takenOf(hold([{ ...cheap, p99Ms: 9 }, dear], { cheapest: 'latency' }))).toEqual(['sasrec']);
  // What was trained elsewhere has no known cost, and is no bargain.
  expect(takenOf(hold([{ ...cheap, trainSeconds: null }, dear]))).toEqual(['sasrec']);
});

it('takes the best where the cheap ones are worse, or might be', () => {
  const { first, second } = users(2_000, 0.05, testSeed);
  const held = hold([entrant('ials', first, { trainSeconds: 1 }), entrant('sasrec', second, { trainSeconds: 80 })]);
  expect(takenOf(held)).toEqual(['sasrec']);
  expect(held.message).toMatch(/^sasrec .*; ials 0\.\d{4} may be worse than sasrec by more than 0\.\d{4}: sasrec$/);
  // Of a few users too little is known, although their figures are the same on average.
  const few = hold([entrant('ials', [1, 0, 1, 0, 1, 0]), entrant('sasrec', [0, 1, 0, 1, 0, 1.001], { trainSeconds: 80 })]);
  expect(takenOf(few)).toEqual(['sasrec']);
});

it('where several go on they are the best ones, whatever they cost', () => {
  const { first, second } = users(500, 0.001, testSeed);
  const third = first.map((value) => value / 2);
  const all = [entrant('cheap', third, { trainSeconds: 1 }), entrant('ials', first, { trainSeconds: 2 }), entrant('sasrec', second, { trainSeconds: 80 })];
  const held = hold(all, { taken: 2 });
  expect(takenOf(held)).toEqual(['sasrec', 'ials']);
  expect(held.message).toMatch(/; cheap 0\.\d{4} is behind them: sasrec, ials$/);
});

describe('for any candidates', () => {
  const values = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 20, maxLength: 20 });
  const candidates = fc.array(fc.tuple(values, fc.integer({ min: 1, max: 9 })), { minLength: 2, maxLength: 5 });

  it('one goes on, it is near the best, and none that is near is cheaper; the order in which they come changes nothing', () => {
    fc.assert(
      fc.property(candidates, fc.double({ min: 0, max: 0.5, noNaN: true }), (drawn, margin) => {
        // Of equal figures the first to come would go before.
        const distinct = drawn.map(([own, trainSeconds], number) =>
          entrant(
            `c${number}`,
            own.map((value) => value + number * 1e-4),
            { trainSeconds },
          ),
        );
        const held = hold(distinct, { margin });
        expect(takenOf(held)).toHaveLength(1);
        const near = held.entries.filter(({ isNear }) => isNear);
        const taken = near.find(({ isTaken }) => isTaken);
        expect(taken?.trainSeconds).toBe(Math.min(...near.map(({ trainSeconds }) => trainSeconds as number)));
        expect(held.entries[0]?.isNear).toBe(true);
        for (const { lift, isNear } of held.entries) if (lift !== null) expect(isNear).toBe(lift.low > -held.margin);
        if (new Set(held.entries.map(({ quality }) => quality.value)).size === distinct.length) expect(hold(distinct.toReversed(), { margin })).toEqual(held);
        // A wider margin lets no fewer through.
        const wider = hold(distinct, { margin: margin + 0.1 }).entries.filter(({ isNear }) => isNear).length;
        expect(wider).toBeGreaterThanOrEqual(near.length);
      }),
      { numRuns: 40 },
    );
  });
});

it('a candidate that is worse by the margin is taken in at most about one of twenty, the risk that is stated', () => {
  const rounds = 200;
  let wrong = 0;
  for (let round = 0; round < rounds; round += 1) {
    const random = createRandom((testSeed + round) % 2 ** 31);
    const noise = () => random.float() + random.float() - 1;
    const best = Array.from({ length: 200 }, () => 1 + 0.3 * noise());
    // Worse by .05 of the best on average: just what may not pass.
    const worse = best.map((value) => value - 0.05 + 0.3 * noise());
    if (takenOf(hold([entrant('cheap', worse), entrant('best', best, { trainSeconds: 9 })]))[0] === 'cheap') wrong += 1;
  }
  // Of 200 rounds at .05 more than 26 come once in three hundred thousand times; the bootstrap of 200 users is a little off.
  expect(wrong).toBeLessThanOrEqual(26);
});
