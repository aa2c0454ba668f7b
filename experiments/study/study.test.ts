import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../counterfactual/single-slot/limits.ts';
import { makeDecisionWorld } from '../simulator/decision-world.ts';
import { type CanaryResult, canaryCells, canaryFailures } from './canary-cells.ts';
import { type DecisionCell, decisionCells } from './decision-cells.ts';
import { digestDecisionCell, runDecisionCell } from './run-decision-cell.ts';
import { seedOf } from './seeds.ts';
import { failuresOf } from './study-results.ts';
import { addSums, noDeviation, noMisses } from './tally.ts';

const cellOf = (id: string) => decisionCells.find((cell) => cell.id === id) as DecisionCell;

describe('a study', () => {
  const cell = cellOf('few-items');

  it('comes to the same in parts and in one, and to other logs by another seed or of another cell', () => {
    const run = (from: number, to: number) => runDecisionCell({ cell, seed: 7, from, to });
    const [whole, parts] = [run(0, 30), addSums(run(0, 11), run(11, 30))];
    expect(parts.replications).toBe(30);
    for (const [one, other] of [
      [parts.lift.sum, whole.lift.sum],
      [parts.intervals.verdict.width, whole.intervals.verdict.width],
      [parts.estimators.dr?.value.squares ?? 0, whole.estimators.dr?.value.squares ?? 1],
    ] as const)
      expect(one).toBeCloseTo(other, 12);
    expect({ ...parts.intervals.normal, width: 0 }).toEqual({ ...whole.intervals.normal, width: 0 });
    expect(run(0, 3)).toEqual(run(0, 3));
    const seeds = [
      seedOf({ cell: 'a', seed: 1, replication: 0 }),
      seedOf({ cell: 'b', seed: 1, replication: 0 }),
      seedOf({ cell: 'a', seed: 2, replication: 0 }),
    ];
    expect(new Set(seeds).size).toBe(3);
    expect(seeds.every(Number.isSafeInteger)).toBe(true);
    expect(digestDecisionCell({ cell, seed: 1 })).not.toBe(digestDecisionCell({ cell, seed: 2 }));
  });

  it('fails where refusals, coverage or tails are not as asked', () => {
    const tally = runDecisionCell({ cell, seed: 1, from: 0, to: 1 });
    const judged = (over: { verdicts?: number; below?: number; above?: number }, id = cell.id) => {
      const verdicts = over.verdicts ?? 10_000;
      const verdict = { count: verdicts, below: over.below ?? 200, above: over.above ?? 200, width: 1 };
      const made = { ...tally, replications: 10_000, verdicts, intervals: { ...tally.intervals, verdict } };
      const truth = makeDecisionWorld(cell.settings).truth;
      return failuresOf({
        seed: 1,
        replications: 1_000,
        limits: defaultLimits,
        decisions: { [id]: { truth, tally: made, digest: '' } },
        slates: {},
        canaries: {},
      }).join();
    };
    expect(judged({})).toBe('');
    expect(judged({ verdicts: 8_990 })).toContain('gives one in 89.9 %');
    expect(judged({ verdicts: 8_990 }, 'edge-usual')).toBe('');
    expect(judged({ below: 310, above: 300 })).toContain('holds the true lift in 93.9 %');
    expect(judged({ below: 410, above: 0 })).toContain('below the interval in 4.1 %');
    // Of few logs, what chance may do is let pass.
    expect(judged({ verdicts: 200, below: 15, above: 0 }, 'edge-usual')).toContain('7.5 %');
    expect(judged({ verdicts: 200, below: 12, above: 0 }, 'edge-usual')).toBe('');
    expect(judged({ verdicts: 600 }, 'short')).toContain('cannot carry a verdict, and gives one in 6.0 %');
    expect(judged({ below: 5_000 }, 'unripe')).toBe('');
    const slate = {
      replications: 100,
      verdicts: 100,
      refusals: {},
      better: 0,
      worse: 0,
      lift: noDeviation(),
      interval: { ...noMisses(), count: 100, above: 12 },
    };
    const slates = { 'slates-equal': { truth: { champion: 1, candidate: 1, lift: 0 }, tally: slate, digest: '' } };
    expect(failuresOf({ seed: 1, replications: 1, limits: defaultLimits, decisions: {}, slates, canaries: {} })).toHaveLength(2);
  });

  it('fails where a canary promotes, rolls back or waits otherwise than promised', () => {
    const found: CanaryResult = {
      runs: 1_000,
      promoted: 0,
      rolledBack: 0,
      inconclusive: 1_000,
      challengerUsersToDecision: null,
      usersInAll: { median: 1, p95: 1 },
    };
    const [aa, worse] = ['aa', 'worse-20'].map((id) => canaryCells.find((one) => one.id === id)) as [
      (typeof canaryCells)[number],
      (typeof canaryCells)[number],
    ];
    expect(canaryFailures(aa, found)).toEqual([]);
    expect(canaryFailures(aa, { ...found, promoted: 11 }).join()).toContain('promoted in 1.1 %');
    expect(canaryFailures(aa, { ...found, rolledBack: 11 }).join()).toContain('rolled back in 1.1 %');
    expect(canaryFailures(worse, found).join()).toContain('rolled back in 0.0 %');
    expect(canaryFailures(worse, { ...found, rolledBack: 1_000, challengerUsersToDecision: { median: 5_001, p95: 12_001 } })).toHaveLength(2);
  });
});
