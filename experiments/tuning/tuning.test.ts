import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tuningSpace } from '../../models/contracts/tuning.ts';
import { drawTrials } from './draw-trials.ts';
import { costOf, nextTrials, type Outcome, planRungs } from './halving.ts';
import { sampleUsers } from './sample-users.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const halving = fc.record({ eta: fc.integer({ min: 2, max: 10 }), minShare: fc.double({ min: 0.001, max: 0.99, noNaN: true }) });

describe('trials of a space', () => {
  const space = tuningSpace.parse({
    lambda: { min: 1e-4, max: 10, scale: 'log' },
    alpha: { min: 0, max: 1 },
    factors: { min: 8, max: 256, scale: 'log', integer: true },
    solver: ['preconditioned', 'plain'],
  });

  it('are all combinations of lists; of more than are asked for, some', () => {
    const grid = tuningSpace.parse({ b: [1, 2, 3], a: ['x', 'y'] });
    const all = drawTrials({ space: grid, seed: 1 });
    expect(all[1]).toEqual({ a: 'x', b: 2 });
    expect(all).toHaveLength(6);
    expect(drawTrials({ space: grid, trials: 6, seed: 2 })).toEqual(all);
    const some = drawTrials({ space: grid, trials: 3, seed: 2 });
    expect(some.map(({ b }) => b).sort()).toEqual([1, 2, 3]);
    for (const one of some) expect(all).toContainEqual(one);
    expect(() => drawTrials({ space, seed: 1 })).toThrow(/how many trials/);
  });

  it('are drawn once from each part of each range, the same ones for a seed', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 2, max: 100 }), (seed, trials) => {
        const drawn = drawTrials({ space, trials, seed });
        expect(drawn).toHaveLength(trials);
        expect(drawTrials({ space, trials, seed })).toEqual(drawn);
        const numbers = (name: string) => drawn.map((one) => one[name] as number);
        // Written to four digits, a value may lie on the border to the next part.
        const parts = (places: number[]) =>
          places.sort((a, b) => a - b).every((place, part) => place >= part - 0.01 * trials && place <= part + 1 + 0.01 * trials);
        expect(parts(numbers('alpha').map((alpha) => alpha * trials))).toBe(true);
        expect(parts(numbers('lambda').map((lambda) => (Math.log(lambda / 1e-4) / Math.log(1e5)) * trials))).toBe(true);
        for (const factors of numbers('factors')) expect(Number.isInteger(factors) && factors >= 8 && factors <= 256).toBe(true);
        const plain = drawn.filter(({ solver }) => solver === 'plain').length;
        expect(Math.abs(plain - trials / 2)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('stay within any range, and what comes twice is tried once', () => {
    const bounds = fc.tuple(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), fc.double({ min: 1e-6, max: 1e6, noNaN: true })).filter(([a, b]) => a !== b);
    fc.assert(
      fc.property(bounds, fc.constantFrom('linear' as const, 'log' as const), seeds, ([a, b], scale, seed) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)];
        for (const { x } of drawTrials({ space: { x: { min, max, scale, integer: false } }, trials: 20, seed }))
          expect((x as number) >= min && (x as number) <= max).toBe(true);
      }),
    );
    const few = drawTrials({ space: tuningSpace.parse({ x: { min: 1, max: 3, integer: true } }), trials: 30, seed: 1 });
    expect(few.map(({ x }) => x).sort()).toEqual([1, 2, 3]);
  });
});

describe('rungs', () => {
  it('are those of the paper', () => {
    expect(planRungs({ trials: 27, halving: { eta: 3, minShare: 1 / 27 } })).toEqual([
      { share: 1 / 27, trials: 27 },
      { share: 1 / 9, trials: 9 },
      { share: 1 / 3, trials: 3 },
      { share: 1, trials: 1 },
    ]);
    const cut = planRungs({ trials: 27, halving: { eta: 3, minShare: 0.1 } });
    expect(cut.map(({ trials }) => trials)).toEqual([27, 9, 3]);
    expect(costOf(cut)).toBeCloseTo(9);
    expect(planRungs({ trials: 12 })).toEqual([{ share: 1, trials: 12 }]);
  });

  it('begin at the least share or above, end with all users, and cost no more than all trials do', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), halving, (trials, how) => {
        const rungs = planRungs({ trials, halving: how });
        expect(rungs[0]?.trials).toBe(trials);
        expect(rungs.at(-1)?.share).toBe(1);
        expect(rungs.length === 1 || (rungs[0]?.share as number) >= how.minShare * (1 - 1e-6)).toBe(true);
        for (const [rung, { trials: here }] of rungs.entries()) expect(here >= 1 && here <= (rungs[rung - 1]?.trials ?? trials)).toBe(true);
        expect(costOf(rungs)).toBeLessThanOrEqual(trials + 1e-9);
      }),
    );
  });
});

describe('the next trials', () => {
  /** A trial's figure on a rung; null where it fails. */
  type World = (trial: number, rung: number) => number | null;
  /** As workers finish: in any order, and asked again after each. */
  function play(rungs: ReturnType<typeof planRungs>, world: World, order: (due: readonly number[]) => number) {
    const outcomes: Outcome[] = [];
    for (;;) {
      const next = nextTrials({ rungs, outcomes });
      if (next.kind !== 'trials') return { next, outcomes };
      const trial = next.due[order(next.due)] as number;
      outcomes.push({ trial, rung: next.rung, value: world(trial, next.rung) });
    }
  }

  it('are the same ones whatever is done first, each once, the best of each rung and of equals the first', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        halving,
        fc.array(fc.integer({ min: -1, max: 9 }), { minLength: 40, maxLength: 40 }),
        (trials, how, values) => {
          const rungs = planRungs({ trials, halving: how });
          const world: World = (trial, rung) => ((values[trial] as number) < 0 ? null : ((values[(trial + rung) % 40] as number) + 10) / 10);
          const one = play(rungs, world, () => 0);
          const other = play(rungs, world, (due) => due.length - 1);
          expect(other.next).toEqual(one.next);
          const key = ({ trial, rung }: Outcome) => `${rung}/${trial}`;
          expect(other.outcomes.map(key).sort()).toEqual(one.outcomes.map(key).sort());
          expect(new Set(one.outcomes.map(key)).size).toBe(one.outcomes.length);
          for (let rung = 1; rung < rungs.length; rung += 1) {
            const of = (on: number) => one.outcomes.filter((outcome) => outcome.rung === on);
            const stayed = new Set(of(rung).map(({ trial }) => trial));
            const scores = of(rung - 1).filter(({ value }) => value !== null);
            expect(stayed.size).toBe(Math.min(scores.length, rungs[rung]?.trials as number));
            const worst = Math.min(...scores.filter(({ trial }) => stayed.has(trial)).map(({ value }) => value as number));
            for (const { trial, value } of scores) if (!stayed.has(trial)) expect(value as number).toBeLessThanOrEqual(worst);
          }
          if (one.next.kind === 'none') expect(one.outcomes.every(({ rung, value }) => rung > 0 || value === null)).toBe(true);
        },
      ),
    );
  });

  it('are none where nothing can be trained', () => {
    expect(
      play(
        planRungs({ trials: 4 }),
        () => null,
        () => 0,
      ).next,
    ).toEqual({ kind: 'none' });
    expect(
      play(
        planRungs({ trials: 4 }),
        (trial) => (trial === 2 ? 0.1 : null),
        () => 0,
      ).next,
    ).toEqual({ kind: 'chosen', trial: 2 });
  });
});

it('a larger share of the users holds the smaller', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      seeds,
      (users, a, b, seed) => {
        const [few, more] = [Math.min(a, b), Math.max(a, b)].map((share) => sampleUsers({ users, share, seed })) as [Uint8Array, Uint8Array];
        expect(few.every((taken, user) => taken <= (more[user] as number))).toBe(true);
        expect(few.reduce((sum, taken) => sum + taken, 0)).toBe(Math.max(1, Math.round(users * Math.min(a, b))));
        expect(sampleUsers({ users, share: 1, seed }).every((taken) => taken === 1)).toBe(true);
      },
    ),
  );
});
