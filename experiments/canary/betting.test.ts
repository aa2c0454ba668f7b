import { describe, expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { nextBlockEnd, type RewardCounts, type Stratum } from './arm-data.ts';
import { logWealth, prepareBets, rejects } from './betting.ts';
import { always, alpha, count, simulate, tell } from './testing-canaries.ts';
import { stratum } from './testing.ts';

type Draw = (random: () => number, isChallenger: boolean) => number;

/** Blocks of users with rewards of any size, until `users` are in or `stop` says so. */
function drawStrata({
  seed,
  share,
  users,
  draw,
  stop,
}: {
  seed: number;
  share: number;
  users: number;
  draw: Draw;
  stop: (strata: Stratum[]) => boolean;
}): number {
  const { float } = createRandom(seed);
  const strata: Stratum[] = [];
  for (let user = 0; user < users; ) {
    const rewards = [new Map<number, number>(), new Map<number, number>()];
    for (const end = Math.min(users, nextBlockEnd(user)); user < end; user += 1) {
      const arm = float() < share ? 1 : 0;
      const reward = draw(float, arm === 1);
      rewards[arm]?.set(reward, (rewards[arm]?.get(reward) ?? 0) + 1);
    }
    const armOf = (arm: number) => {
      const ripe: RewardCounts = [...(rewards[arm] ?? [])];
      return { enrolled: ripe.reduce((sum, [, units]) => sum + units, 0), ripe };
    };
    strata.push({ generation: strata.length, share, champion: armOf(0), challenger: armOf(1) });
    if (stop(strata)) return user;
  }
  return Number.POSITIVE_INFINITY;
}

describe('rewards that are not 0 or 1', () => {
  // Baskets: nine of ten buy nothing, the others for 1 to 50, squared so that large ones are rare.
  const basket: Draw = (random) => (random() < 0.9 ? 0 : Math.ceil(50 * random() ** 3));
  // All rewards lie close together: the variance is a small part of what the cap would allow.
  const even =
    (factor: number): Draw =>
    (random, isChallenger) =>
      Math.round((isChallenger ? factor : 1) * (400 + 200 * random())) / 1_000;

  it.each([
    ['baskets', basket, 50],
    ['even rewards', even(1), 1],
  ])('%s: an equal challenger is called worse, and better, in at most alpha of the canaries', (what, draw, cap) => {
    const runs = 300;
    const called = (bet: 'above' | 'below') =>
      Array.from({ length: runs }, (_, seed) =>
        drawStrata({ seed, share: 0.3, users: 2_000, draw, stop: (strata) => rejects(prepareBets({ strata, cap }), { difference: 0, bet, alpha }) }),
      ).filter(Number.isFinite).length;
    const [worse, better] = [called('below'), called('above')];
    console.log(`A/A, ${what}, at ${alpha}: worse ${worse}, better ${better} of ${runs} (seeds 0 to ${runs - 1})`);
    expect(worse / runs).toBeLessThanOrEqual(alpha);
    expect(better / runs).toBeLessThanOrEqual(alpha);
  });

  it('stakes go with the variance that was seen: a twentieth less is told with a few hundred users where rewards lie close together', () => {
    const users = Array.from({ length: 20 }, (_, seed) =>
      drawStrata({
        seed,
        share: 0.3,
        users: 20_000,
        draw: even(0.95),
        stop: (strata) => rejects(prepareBets({ strata, cap: 1 }), { difference: 0, bet: 'below', alpha: 0.01 }),
      }),
    ).sort((a, b) => a - b);
    console.log(`5 % less of rewards around .5: ${users[10]} users (median of seeds 0 to 19), ${users[19]} at most`);
    expect(users[10]).toBeLessThan(2_500);
  });
});

describe('bets that aim at a planned end', () => {
  it('keep the error rates', () => {
    const runs = simulate({ intent: 'replace', rates: always(0.2, 0.2), runs: 200, maxUsers: 8_000, over: { plannedUsers: 8_000 } });
    tell('A/A, planned for 8,000 users', runs);
    expect(count(runs, 'roll-back', 'worse') / runs.length).toBeLessThanOrEqual(alpha);
    expect(count(runs, 'promote') / runs.length).toBeLessThanOrEqual(alpha);
  });

  it('have more verdicts by then than bets for any time', () => {
    const found = (over: { plannedUsers?: number }) =>
      count(
        simulate({ intent: 'replace', rates: always(0.2, 0.16), runs: 100, maxUsers: 20_000, over: { ladder: [0.1], minUnits: [20], ...over } }),
        'roll-back',
        'worse',
      );
    const [open, planned] = [found({}), found({ plannedUsers: 20_000 })];
    console.log(`-20 % of .2 within 20,000 users: ${planned} of 100 found with the end planned, ${open} without`);
    expect(planned).toBeGreaterThan(open);
  });
});

it('a look changes nothing of what is foretold for later users: what follows an open block waits for it', () => {
  const known = stratum({ share: 0.5, champion: { units: 100, converted: 20 }, challenger: { units: 100, converted: 10 } });
  const open: Stratum = { ...known, champion: { enrolled: 120, ripe: known.champion.ripe } };
  const wealth = (strata: Stratum[]) => logWealth(prepareBets({ strata, cap: 1 }), { difference: 0, bet: 'below', alpha });
  expect(wealth([open, known])).toBe(wealth([open]));
  expect(wealth([known, known])).toBeGreaterThan(wealth([known]));
});
