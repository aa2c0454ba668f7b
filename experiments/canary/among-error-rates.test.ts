import { describe, expect, it } from 'vitest';
import { simulateAmong, type SimulatedAmong } from './among-simulation.ts';
import type { CanaryInput } from './decide-canary.ts';
import { alpha, charter } from './testing-canaries.ts';

type Challenger = { rate: number; intent: CanaryInput['intent'] };
const replace = (rate: number): Challenger => ({ rate, intent: 'replace' });
const refresh = (rate: number): Challenger => ({ rate, intent: 'refresh' });

const run = (champion: number, challengers: Challenger[], runs: number, maxUsers: number): SimulatedAmong[] =>
  Array.from({ length: runs }, (_, seed) =>
    simulateAmong({ charter: charter(), champion, challengers, seed: seed + 1, usersPerLook: 250, growthPerLook: 0.04, maxUsers }),
  );
const promotedOf = (runs: SimulatedAmong[], challenger: number) => runs.filter((one) => one.decision.promoted === `challenger-${challenger}`).length;
const eliminatedOf = (runs: SimulatedAmong[], ...challengers: number[]) =>
  runs.filter((one) => challengers.some((challenger) => one.fates[challenger - 1] === 'worse')).length;

describe('in simulation', () => {
  it('three equal ones are hardly ever promoted or eliminated: at most alpha of the releases, all of them together', () => {
    const runs = run(0.2, [replace(0.2), replace(0.2), replace(0.2)], 150, 8_000);
    const promoted = runs.filter((one) => one.decision.action === 'promote').length;
    const eliminated = eliminatedOf(runs, 1, 2, 3);
    console.log(`A/A/A/A at ${alpha}: ${promoted} promoted, in ${eliminated} one was eliminated as worse, of 150 (seeds 1 to 150)`);
    expect(promoted / 150).toBeLessThanOrEqual(alpha);
    expect(eliminated / 150).toBeLessThanOrEqual(alpha);
  });

  it('neither a refresh at its margin nor an equal replacement beside it is promoted, nor the equal one eliminated, in more than alpha of the releases', () => {
    // The charter's margin is .3.
    const runs = run(0.2, [refresh(0.14), replace(0.2)], 150, 8_000);
    const promoted = runs.filter((one) => one.decision.action === 'promote').length;
    const eliminated = eliminatedOf(runs, 2);
    console.log(`refresh at .14 and replace at .2 against .2: ${promoted} promoted, the equal one eliminated in ${eliminated}, of 150 (seeds 1 to 150)`);
    expect(promoted / 150).toBeLessThanOrEqual(alpha);
    expect(eliminated / 150).toBeLessThanOrEqual(alpha);
  });

  it('an equal refresh is promoted beside replacements that are no better, which are not', () => {
    const runs = run(0.2, [replace(0.2), refresh(0.2), replace(0.1)], 30, 60_000);
    const promoted = [1, 2, 3].map((challenger) => promotedOf(runs, challenger));
    console.log(
      `replace .2, refresh .2, replace .1 against .2: promoted ${promoted.join(', ')}, an equal one eliminated in ${eliminatedOf(runs, 1, 2)}, of 30`,
    );
    expect(promoted[1]).toBeGreaterThanOrEqual(27);
    expect(promoted[0]).toBeLessThanOrEqual(alpha * 30);
    expect(promoted[2]).toBe(0);
    expect(eliminatedOf(runs, 1, 2)).toBeLessThanOrEqual(alpha * 30);
  });

  it('of a worse, an equal and a better one the better is promoted, and the worse costs least', () => {
    const runs = run(0.2, [replace(0.1), replace(0.2), replace(0.3)], 30, 60_000);
    const eliminated = eliminatedOf(runs, 1);
    const users = [0, 1, 2].map((index) => runs.reduce((sum, one) => sum + (one.challengerUsers[index] ?? 0), 0) / runs.length);
    console.log(
      `.1, .2, .3 against .2: the best promoted in ${promotedOf(runs, 3)} of 30, the worst eliminated in ${eliminated}; users ${users.map(Math.round).join(', ')}`,
    );
    expect(promotedOf(runs, 3)).toBeGreaterThanOrEqual(28);
    expect(eliminated).toBeGreaterThanOrEqual(24);
    expect(users[0]).toBeLessThan(users[2] ?? 0);
  });
});
