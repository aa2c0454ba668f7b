import type { CanaryInput } from './decide-canary.ts';
import { simulateCanary } from './canary-simulation.ts';

/** The real canary looks every few minutes; here often enough that waiting for the next look costs a hundredth of the users. */
const usersPerLook = 200;
const growthPerLook = 0.03;

/** What many canaries of one kind come to. Counts, not shares. */
export type CanaryStudy = {
  runs: number;
  promoted: number;
  /** Because of the reward: `worse`. */
  rolledBack: number;
  /** No verdict within the users there were. */
  inconclusive: number;
  /** Users of the challenger when a verdict came; of the runs that had one. */
  challengerUsersToDecision: { median: number; p95: number } | null;
  usersInAll: { median: number; p95: number };
  /** Mean conversions lost a run against having shown everybody the better of the two. */
  regret: number;
  /** The same test with half of the users on the challenger from the first one on. */
  regretFixedSplit: number;
  /** What else that one comes to; absent where it was not run. */
  fixedSplit?: Outcomes;
};
export type Outcomes = Pick<CanaryStudy, 'promoted' | 'rolledBack' | 'inconclusive' | 'challengerUsersToDecision' | 'usersInAll'>;

type Input = {
  canary: CanaryInput['charter']['release']['canary'];
  intent: CanaryInput['intent'];
  champion: number;
  challenger: number;
  users: number;
  runs: number;
  seed: number;
  /** Run the fixed split beside it, for its regret; true where absent. */
  againstFixedSplit?: boolean;
  onRun?: ((done: number) => void) | undefined;
};

/** Runs canaries on drawn conversions with the decisions of the real one. Same seed, same study. */
export async function simulateCanaries({ runs, onRun, againstFixedSplit = true, ...input }: Input): Promise<CanaryStudy> {
  // Aiming at an end is for the ladder: half and half would wait for one that is far off.
  const { plannedUsers: _plannedUsers, ...unplanned } = input.canary;
  const fixed = { ...unplanned, ladder: [0.5], minUnits: [1] };
  const own: Ended[] = [];
  const split: Ended[] = [];
  for (let run = 0; run < runs; run += 1) {
    own.push(runOnce(input, input.canary, run));
    // A share that never moves: the rung's ends are one.
    if (againstFixedSplit) split.push(runOnce(input, fixed, run, 0.5));
    onRun?.(run + 1);
    if (run % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
  }
  const mean = (ended: readonly Ended[]) => ended.reduce((sum, one) => sum + one.regret, 0) / Math.max(1, ended.length);
  return {
    runs,
    ...outcomesOf(own),
    regret: mean(own),
    regretFixedSplit: mean(split),
    ...(againstFixedSplit ? { fixedSplit: outcomesOf(split) } : {}),
  };
}

function outcomesOf(ended: readonly Ended[]): Outcomes {
  const count = (outcome: Ended['outcome']) => ended.filter((one) => one.outcome === outcome).length;
  const decided = ended.filter((one) => one.outcome !== 'inconclusive').map((one) => one.challengerUsers);
  return {
    promoted: count('promoted'),
    rolledBack: count('rolled-back'),
    inconclusive: count('inconclusive'),
    challengerUsersToDecision: decided.length === 0 ? null : spread(decided),
    usersInAll: spread(ended.map((one) => one.users)),
  };
}

type Ended = { outcome: 'promoted' | 'rolled-back' | 'inconclusive'; users: number; challengerUsers: number; regret: number };

function runOnce(input: Omit<Input, 'runs' | 'onRun' | 'againstFixedSplit'>, canary: Input['canary'], run: number, share?: number): Ended {
  const { champion, challenger, intent, users } = input;
  const ended = simulateCanary({
    charter: { reward: { weights: { purchase: 1 }, attributionMs: 1, capPerUnit: 1 }, release: { canary } },
    intent,
    rates: { champion: () => champion, challenger: () => challenger },
    seed: input.seed * 1_000_003 + run,
    usersPerLook,
    growthPerLook,
    maxUsers: users,
    ...(share === undefined ? {} : { share }),
  });
  const { action, verdict } = ended.decision;
  const outcome = action === 'promote' ? 'promoted' : verdict === 'worse' ? 'rolled-back' : 'inconclusive';
  const best = Math.max(champion, challenger);
  const onChampion = ended.users - ended.challengerUsers;
  return {
    outcome,
    users: ended.users,
    challengerUsers: ended.challengerUsers,
    regret: ended.challengerUsers * (best - challenger) + onChampion * (best - champion),
  };
}

function spread(values: readonly number[]): { median: number; p95: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { median: at(0.5), p95: at(0.95) };
}
