import type { CanaryInput } from './decide-canary.ts';
import { simulateAmong } from './among-simulation.ts';
import { simulateCanary } from './canary-simulation.ts';

/** The real canary looks every few minutes; here often enough that waiting for the next look costs a hundredth of the users. */
const usersPerLook = 200;
const growthPerLook = 0.02;

/** What many canaries of one kind come to. Counts, not shares. Of several challengers, users are those of all together. */
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
  /** The same test with half of the users on the challenger (an equal part on each of several) from the first one on. */
  regretFixedSplit: number;
  /** What else that one comes to; absent where it was not run. */
  fixedSplit?: Outcomes;
  /** Where there are several: what became of each. */
  challengers?: { rate: number; promoted: number; eliminated: number; users: { median: number; p95: number } }[];
};
export type Outcomes = Pick<CanaryStudy, 'promoted' | 'rolledBack' | 'inconclusive' | 'challengerUsersToDecision' | 'usersInAll'>;

type Input = {
  canary: CanaryInput['charter']['release']['canary'];
  intent: CanaryInput['intent'];
  champion: number;
  challenger: number;
  /** Conversion rates of further challengers that are tried at the same time (decide-among.ts). */
  others?: readonly number[];
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
    own.push(runOnce({ input, canary: input.canary, run, even: false }));
    if (againstFixedSplit) split.push(runOnce({ input, canary: fixed, run, even: true }));
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
    ...(input.others === undefined || input.others.length === 0
      ? {}
      : { challengers: [input.challenger, ...input.others].map((rate, index) => fateOf({ ended: own, rate, index })) }),
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

type Ended = {
  outcome: 'promoted' | 'rolled-back' | 'inconclusive';
  users: number;
  challengerUsers: number;
  regret: number;
  each: { promoted: boolean; eliminated: boolean; users: number }[];
};
type Run = { input: Omit<Input, 'runs' | 'onRun' | 'againstFixedSplit'>; canary: Input['canary']; run: number; even: boolean };

function fateOf({ ended, rate, index }: { ended: readonly Ended[]; rate: number; index: number }) {
  const each = ended.flatMap((one) => one.each[index] ?? []);
  const count = (what: 'promoted' | 'eliminated') => each.filter((one) => one[what]).length;
  return { rate, promoted: count('promoted'), eliminated: count('eliminated'), users: spread(each.map((one) => one.users)) };
}

function runOnce({ input, canary, run, even }: Run): Ended {
  const { champion, challenger, others = [], intent, users } = input;
  const challengers = [challenger, ...others];
  const common = {
    charter: { reward: { weights: { purchase: 1 }, attributionMs: 1, capPerUnit: 1 }, release: { canary } },
    seed: input.seed * 1_000_003 + run,
    usersPerLook,
    growthPerLook,
    maxUsers: users,
  };
  const best = Math.max(champion, ...challengers);
  if (challengers.length > 1) {
    const ended = simulateAmong({ ...common, champion, challengers: challengers.map((rate) => ({ rate, intent })), even });
    const lost = challengers.reduce((sum, rate, index) => sum + (best - rate) * (ended.challengerUsers[index] ?? 0), ended.championUsers * (best - champion));
    const outcome = ended.decision.action === 'promote' ? 'promoted' : ended.fates.every((fate) => fate === 'worse') ? 'rolled-back' : 'inconclusive';
    const each = ended.fates.map((fate, index) => ({
      promoted: ended.decision.promoted === `challenger-${index + 1}`,
      eliminated: fate === 'worse',
      users: ended.challengerUsers[index] ?? 0,
    }));
    return { outcome, users: ended.users, challengerUsers: ended.users - ended.championUsers, regret: lost, each };
  }
  // A share that never moves: the rung's ends are one.
  const ended = simulateCanary({ ...common, intent, rates: { champion: () => champion, challenger: () => challenger }, ...(even ? { share: 0.5 } : {}) });
  const { action, verdict } = ended.decision;
  const outcome = action === 'promote' ? 'promoted' : verdict === 'worse' ? 'rolled-back' : 'inconclusive';
  const onChampion = ended.users - ended.challengerUsers;
  const regret = ended.challengerUsers * (best - challenger) + onChampion * (best - champion);
  return { outcome, users: ended.users, challengerUsers: ended.challengerUsers, regret, each: [] };
}

function spread(values: readonly number[]): { median: number; p95: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { median: at(0.5), p95: at(0.95) };
}
