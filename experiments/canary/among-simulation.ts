import { createRandom } from '../../models/random.ts';
import type { AmongDecision } from '../../models/contracts/canary.ts';
import type { Verdict } from '../../models/contracts/verdict.ts';
import { nextBlockEnd } from './arm-data.ts';
import { armOf } from './canary-simulation.ts';
import { decideAmong, pairOf, type SharedStratum } from './decide-among.ts';
import type { CanaryInput } from './decide-canary.ts';

/** `users`, and `fates` (what was said of each when it left, null while it did not), in the order of the challengers. */
export type SimulatedAmong = { decision: AmongDecision; users: number; championUsers: number; challengerUsers: number[]; fates: (Verdict | null)[] };

type Input = {
  charter: CanaryInput['charter'];
  champion: number;
  challengers: readonly { rate: number; intent: CanaryInput['intent'] }[];
  seed: number;
  usersPerLook: number;
  growthPerLook: number;
  /** Users after which time is over. */
  maxUsers: number;
  /** Holds all arms at the same share, those that are out excepted. */
  even?: boolean;
};
type OpenStratum = { generation: number; shares: Record<string, number>; units: [number, number][] };

/** Runs a canary of several challengers to its end on drawn conversions of reward 1, as `simulateCanary` does with one. */
export function simulateAmong({ charter, champion, challengers, seed, usersPerLook, growthPerLook, maxUsers, even = false }: Input): SimulatedAmong {
  const random = createRandom(seed);
  const names = challengers.map((_, index) => `challenger-${index + 1}`);
  const rates = [champion, ...challengers.map(({ rate }) => rate)];
  const intents = Object.fromEntries(names.map((name, index) => [name, challengers[index]?.intent ?? 'replace']));
  const timeOver: CanaryInput['charter'] = { ...charter, release: { canary: { ...charter.release.canary, maxDurationMs: maxUsers } } };
  const strata: OpenStratum[] = [];
  const ripeByStage = names.map(() => [] as number[]);
  const fates: (Verdict | null)[] = names.map(() => null);
  let shares: Record<string, number> = Object.fromEntries(names.map((name) => [name, 0]));
  let out: string[] = [];
  let users = 0;
  let stage = 0;
  for (let look = 0; ; look += 1) {
    const finished = strata.map((stratum) => closed(stratum, names));
    const arms = Object.fromEntries(names.map((name, index) => [name, pairOf(finished, name, { ripeByStage: ripeByStage[index] as number[] })]));
    const decision = decideAmong({ charter: timeOver, intents, releaseId: `simulated-${seed}`, look, stage, shares, elapsedMs: users + 1, arms });
    out = decision.out;
    for (const [index, name] of names.entries()) if (out.includes(name)) fates[index] ??= decision.decisions[name]?.verdict ?? null;
    if (decision.action === 'promote' || decision.action === 'roll-back') {
      const met = (arm: number) => strata.reduce((sum, { units }) => sum + (units[arm]?.[0] ?? 0) + (units[arm]?.[1] ?? 0), 0);
      return { decision, users, championUsers: met(0), challengerUsers: names.map((_, index) => met(index + 1)), fates };
    }
    if (decision.action === 'advance') stage += 1;
    const evenShare = 1 / (1 + names.length - out.length);
    shares = even ? Object.fromEntries(names.map((name) => [name, out.includes(name) ? 0 : evenShare])) : decision.shares;
    const until = Math.min(Math.max(maxUsers, users + 1), users + Math.max(usersPerLook, Math.ceil(growthPerLook * users)));
    const open = () => strata.push({ generation: look, shares, units: rates.map(() => [0, 0]) });
    const latest = strata.at(-1)?.shares;
    if (latest === undefined || names.some((name) => latest[name] !== shares[name])) open();
    for (let nextCut = nextBlockEnd(users); users < until; users += 1) {
      if (users === nextCut) {
        nextCut = nextBlockEnd(users);
        open();
      }
      const arm = drawArm(random.float(), names, shares);
      const units = (strata.at(-1) as OpenStratum).units[arm] as [number, number];
      units[random.float() < (rates[arm] as number) ? 1 : 0] += 1;
      if (arm > 0) {
        const ripe = ripeByStage[arm - 1] as number[];
        while (ripe.length <= stage) ripe.push(0);
        ripe[stage] = (ripe[stage] ?? 0) + 1;
      }
    }
  }
}

/** 0 is the champion. */
function drawArm(at: number, names: readonly string[], shares: Record<string, number>): number {
  let below = 0;
  for (const [index, name] of names.entries()) {
    below += shares[name] ?? 0;
    if (at < below) return index + 1;
  }
  return 0;
}

function closed({ generation, shares, units }: OpenStratum, names: readonly string[]): SharedStratum {
  const [champion = [0, 0], ...others] = units;
  return { generation, shares, champion: armOf(champion), challengers: Object.fromEntries(others.map((own, index) => [names[index] ?? '', armOf(own)])) };
}
