import { expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import type { Stratum } from './arm-data.ts';
import { logMeanExp, logWealth, prepareBets } from './betting.ts';
import { stratum } from './testing.ts';

const alpha = 0.01;
const ratios = [0.97, 0.92, 0.81, 0.55];
const weights = [0.04, 0.11, 0.51, 0.34];

/**
 * The plain test on the challenger's share among users with the event: given the event, the challenger's with r p / (r p + 1 - p). Exact, without
 * the base rate, and blind to users without the event. Mixed over the same ratios with the same weights as the bets.
 */
function eventShareLogWealth(strata: readonly Stratum[]): number {
  const converted = (ripe: Stratum['champion']['ripe']) => ripe.reduce((sum, [reward, units]) => sum + (reward > 0 ? units : 0), 0);
  const logs = ratios.map((ratio) =>
    strata.reduce((sum, { share, champion, challenger }) => {
      const own = converted(challenger.ripe);
      return sum + own * Math.log(ratio) - (own + converted(champion.ripe)) * Math.log(ratio * share + 1 - share);
    }, 0),
  );
  return logMeanExp(logs, weights);
}

/** Challenger's users until each of the two says that it is worse. */
function usersToVerdict({ seed, share, champion, challenger }: { seed: number; share: number; champion: number; challenger: number }) {
  const random = createRandom(seed);
  const strata: Stratum[] = [];
  const found: { bets: number | null; eventShare: number | null } = { bets: null, eventShare: null };
  let own = 0;
  for (let generation = 0; found.bets === null || found.eventShare === null; generation += 1) {
    const arms = { champion: { units: 0, converted: 0 }, challenger: { units: 0, converted: 0 } };
    const users = Math.max(64, Math.ceil(0.03 * (own / share)));
    for (let user = 0; user < users; user += 1) {
      const variant = random.float() < share ? 'challenger' : 'champion';
      arms[variant].units += 1;
      if (random.float() < (variant === 'challenger' ? challenger : champion)) arms[variant].converted += 1;
    }
    own += arms.challenger.units;
    strata.push(stratum({ generation, share, ...arms }));
    const bets = prepareBets({ strata, cap: 1 });
    if (logWealth(bets, { difference: 0, bet: 'below', alpha }) >= Math.log(1 / alpha)) found.bets ??= own;
    if (eventShareLogWealth(strata) >= Math.log(1 / alpha)) found.eventShare ??= own;
  }
  return { bets: found.bets, eventShare: found.eventShare };
}

it.each([
  { share: 0.1, champion: 0.05, challenger: 0.04, saves: -0.02 },
  { share: 0.5, champion: 0.05, challenger: 0.025, saves: -0.02 },
  { share: 0.1, champion: 0.3, challenger: 0.24, saves: 0.15 },
])('the bets are about as fast as, and with common events faster than, the share among users with the event: %j', ({ saves, ...truth }) => {
  const runs = Array.from({ length: 80 }, (_, seed) => usersToVerdict({ ...truth, seed }));
  const mean = (key: 'bets' | 'eventShare') => runs.reduce((sum, run) => sum + run[key], 0) / runs.length;
  const [bets, eventShare] = [mean('bets'), mean('eventShare')];
  console.log(
    `${JSON.stringify(truth)}: ${bets.toFixed(0)} users of the challenger with the bets, ${eventShare.toFixed(0)} with the event share (seeds 0 to 79)`,
  );
  expect(bets).toBeLessThan((1 - saves) * eventShare);
});

it('without users who have no event the two are one', () => {
  const strata = [stratum({ share: 0.1, champion: { units: 60, converted: 60 }, challenger: { units: 3, converted: 3 } })];
  // Nothing is foretold for the first block, so each ratio's bet is the likelihood ratio itself.
  expect(logWealth(prepareBets({ strata, cap: 1 }), { difference: 0, bet: 'below', alpha })).toBeCloseTo(eventShareLogWealth(strata), 10);
});
