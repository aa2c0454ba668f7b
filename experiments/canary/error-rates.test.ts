import { describe, expect, it } from 'vitest';
import { alpha, always, count, simulate, srm, tell } from './testing-canaries.ts';

describe('an equal challenger', () => {
  it('is rolled back as worse, and promoted as better, in at most alpha of 200 canaries', () => {
    const runs = simulate({ intent: 'replace', rates: always(0.2, 0.2), runs: 200, maxUsers: 8_000 });
    tell('A/A, replace', runs);
    expect(count(runs, 'roll-back', 'worse') / runs.length).toBeLessThanOrEqual(alpha);
    expect(count(runs, 'promote') / runs.length).toBeLessThanOrEqual(alpha);
    expect(srm(runs)).toBe(0);
  });

  it('is rolled back for any reason at all in at most alpha of 200 canaries, its slates failing exactly as often as the charter allows', () => {
    const failing = { errors: 0.01, fallbacks: 0.05, slow: 0.01 };
    const runs = simulate({ intent: 'refresh', rates: always(0.2, 0.2), runs: 200, maxUsers: 8_000, failing, over: { refreshMargin: 0.05 } });
    const because = (start: string) => runs.filter((run) => run.decision.reasons.some((reason) => reason.startsWith(start))).length;
    const reasons = ['worse', 'guardrail', 'sample ratio'].map((start) => [start, because(start)] as const);
    tell('A/A with every guardrail at its limit', runs);
    console.log(`  rolled back because of ${reasons.map(([start, count]) => `${start}: ${count}`).join(', ')}`);
    expect(reasons.reduce((sum, [, count]) => sum + count, 0) / runs.length).toBeLessThanOrEqual(alpha);
    expect(because('no verdict') + count(runs, 'promote')).toBeGreaterThan(180);
  });

  it('is so on a single rung of one half, where the bets are highest', () => {
    const runs = simulate({
      intent: 'replace',
      rates: always(0.5, 0.5),
      runs: 200,
      maxUsers: 4_000,
      usersPerLook: 100,
      over: { ladder: [0.5], minUnits: [20] },
    });
    tell('A/A, replace, one rung', runs);
    expect(count(runs, 'roll-back', 'worse') / runs.length).toBeLessThanOrEqual(alpha);
    expect(count(runs, 'promote') / runs.length).toBeLessThanOrEqual(alpha);
  });

  it('is so with rare rewards too, where the first users of the challenger nearly all earn nothing', () => {
    const runs = simulate({ intent: 'replace', rates: always(0.02, 0.02), runs: 150, maxUsers: 8_000, over: { ladder: [0.01, 0.5], minUnits: [5, 20] } });
    tell('A/A, replace, 2 % convert', runs);
    expect(count(runs, 'roll-back', 'worse') / runs.length).toBeLessThanOrEqual(alpha);
    expect(count(runs, 'promote') / runs.length).toBeLessThanOrEqual(alpha);
  });

  it('passes as a refresh when there are enough users for the margin', () => {
    const runs = simulate({ intent: 'refresh', rates: always(0.2, 0.2), runs: 100, maxUsers: 30_000 });
    tell('A/A, refresh with a margin of 30 %', runs);
    expect(count(runs, 'promote')).toBeGreaterThanOrEqual(90);
    expect(count(runs, 'roll-back', 'worse') / runs.length).toBeLessThanOrEqual(alpha);
  });
});
