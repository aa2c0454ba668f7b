import type { CanaryDecision } from '../../models/contracts/canary.ts';
import { normalBelow } from '../normal.ts';
import { type ArmData, noCounts, type Stratum, type StratumArm } from './arm-data.ts';
import { prepareBets } from './betting.ts';
import { challengerShare } from './challenger-share.ts';
import { type CanaryInput, decideCanary } from './decide-canary.ts';
import { estimateLift } from './lift.ts';

/** Units that were all enrolled with the same shares; whose share is absent or zero took no part. */
export type SharedStratum = { generation: number; shares: Record<string, number>; champion: StratumArm; challengers: Record<string, StratumArm> };

export type AmongInput = Omit<CanaryInput, 'share' | 'arms'> & {
  /** Each challenger's share in force, also of those that are out (0); all 0 before the first split. The names are those of the release. */
  shares: Record<string, number>;
  /** Challengers that earlier looks have eliminated. */
  out: readonly string[];
  /** What happened to each challenger and the champion, by `pairOf` from the strata of all. */
  arms: Record<string, ArmData>;
};

export type AmongDecision = {
  action: CanaryDecision['action'];
  stage: number;
  /** The challenger that is promoted. */
  promoted: string | null;
  /** All that are out, and what this look says of those that were not. */
  out: string[];
  decisions: Record<string, CanaryDecision>;
  /** From now on: together within [cap/2, cap] of the rung, each at least half of an equal part. */
  shares: Record<string, number>;
};

/**
 * One look at several challengers of one champion. Each is judged by `decideCanary` against the champion alone, with `alpha` divided by their number
 * (Bonferroni: each e-process must reach K / alpha), so that over the release, whichever shares moved and whoever left:
 * - any challenger that is not worse and keeps within its guardrails is eliminated with probability alpha at most, all of them together;
 * - one that is not better (or, for `refresh`, lies below the margin) is promoted with probability alpha at most.
 * Losers leave, and their share goes to those that are left. One that has earned it is promoted as soon as no other one that is left is estimated
 * better, at the end of time at the latest; a rung ends when all that are left have its users. With one challenger the decision is that of `decideCanary`.
 */
export function decideAmong({ shares, out, arms, ...common }: AmongInput): AmongDecision {
  const names = Object.keys(shares);
  const { canary } = common.charter.release;
  const each = { alpha: canary.alpha / names.length, ladder: canary.ladder.map((cap) => cap / names.length) };
  const charter = { ...common.charter, release: { canary: { ...canary, ...each } } };
  const judged = names.filter((name) => !out.includes(name));
  const decisions = Object.fromEntries(
    judged.map((name) => [name, decideCanary({ ...common, charter, share: shares[name] ?? 0, arms: arms[name] as ArmData })]),
  );
  const actionOf = (name: string) => decisions[name]?.action;
  const left = judged.filter((name) => actionOf(name) !== 'roll-back');
  const ended = { stage: common.stage, out: names.filter((name) => !left.includes(name)), decisions };
  const none = Object.fromEntries(names.map((name) => [name, 0]));
  const best = bestOf(left, decisions);
  if (best === undefined) return { ...ended, action: 'roll-back', promoted: null, shares: none };
  if (actionOf(best) === 'promote') return { ...ended, action: 'promote', promoted: best, shares: { ...none, [best]: 1 } };
  const action = left.every((name) => actionOf(name) === 'advance') ? 'advance' : 'wait';
  const cap = canary.ladder[action === 'advance' ? common.stage + 1 : common.stage] ?? 0;
  return {
    ...ended,
    action,
    promoted: null,
    shares: { ...none, ...divide({ left, decisions, arms, cap, current: shares, capPerUnit: charter.reward.capPerUnit }) },
  };
}

/** The one with the greatest estimate, the first of equals. */
function bestOf(names: readonly string[], decisions: Record<string, CanaryDecision>): string | undefined {
  const liftOf = (name: string) => decisions[name]?.lift.value ?? Number.NEGATIVE_INFINITY;
  return [...names].sort((a, b) => liftOf(b) - liftOf(a))[0];
}

type Division = {
  left: readonly string[];
  decisions: Record<string, CanaryDecision>;
  arms: Record<string, ArmData>;
  cap: number;
  current: Record<string, number>;
  capPerUnit: number;
};

/** Thompson sampling within limits: the whole by the best one's probability of beating the champion; half of it in equal parts, half by each one's of being best. */
function divide({ left, decisions, arms, cap, current, capPerUnit }: Division): Record<string, number> {
  const now = left.reduce((sum, name) => sum + (current[name] ?? 0), 0);
  if (now === 0) return Object.fromEntries(left.map((name) => [name, cap / 2 / left.length]));
  const probability = Math.max(...left.map((name) => decisions[name]?.probabilityBetter ?? 0));
  const whole = challengerShare({ cap, probability, current: now });
  const best = probabilitiesBest(left.map((name) => estimateLift(prepareBets({ strata: arms[name]?.strata ?? [], cap: capPerUnit }))));
  const wanted = left.map((_, index) => whole * (0.5 / left.length + 0.5 * (best[index] ?? 0)));
  // Each change is a generation that every replica must load.
  const stays = whole === now && left.every((name, index) => Math.abs((current[name] ?? 0) - (wanted[index] as number)) <= 0.1 * cap);
  return Object.fromEntries(left.map((name, index) => [name, stays ? (current[name] ?? 0) : (wanted[index] as number)]));
}

/**
 * Probability of each normal estimate to be the greatest: integral of its density times the others' distribution functions, by the middle of 400 equal
 * slices of its probable range. They share the champion's noise, which shifts all alike and is left in: the parts come out a little more even.
 */
function probabilitiesBest(estimates: readonly { value: number; standardError: number }[]): number[] {
  if (estimates.some(({ standardError }) => !Number.isFinite(standardError) || standardError === 0)) return estimates.map(() => 1 / estimates.length);
  const slices = 400;
  const raw = estimates.map((own, index) => {
    let sum = 0;
    for (let slice = 0; slice < slices; slice += 1) {
      const z = -6 + (12 * (slice + 0.5)) / slices;
      const x = own.value + z * own.standardError;
      const others = estimates.reduce(
        (product, other, place) => (place === index ? product : product * normalBelow((x - other.value) / other.standardError)),
        1,
      );
      sum += Math.exp((-z * z) / 2) * others;
    }
    return sum;
  });
  const total = raw.reduce((sum, value) => sum + value, 0);
  return raw.map((value) => value / total);
}

/**
 * A challenger and the champion alone. Of the users who met one of these two, each met the challenger with p / (p + p0), whatever else was offered, so
 * that this is a canary of one challenger with that share.
 */
export function pairOf(strata: readonly SharedStratum[], name: string, rest: Pick<ArmData, 'ripeByStage'>): ArmData {
  const pair: Stratum[] = strata.flatMap(({ generation, shares, champion, challengers }) => {
    const [own, arm] = [shares[name] ?? 0, challengers[name]];
    const free = 1 - Object.values(shares).reduce((sum, share) => sum + share, 0);
    return own <= 0 || arm === undefined ? [] : [{ generation, share: own / (own + free), champion, challenger: arm }];
  });
  const counts = (variant: 'champion' | 'challenger') => pair.reduce((sum, stratum) => addArm(sum, stratum[variant]), noCounts);
  return { champion: counts('champion'), challenger: counts('challenger'), slow: { champion: 0, challenger: 0 }, strata: pair, ...rest };
}

function addArm(sum: ArmData['champion'], { enrolled, ripe }: StratumArm): ArmData['champion'] {
  const total = (of: (reward: number) => number) => ripe.reduce((all, [reward, units]) => all + of(reward) * units, 0);
  return {
    ...sum,
    enrolled: sum.enrolled + enrolled,
    ripe: sum.ripe + total(() => 1),
    converted: sum.converted + total((reward) => (reward > 0 ? 1 : 0)),
    rewardSum: sum.rewardSum + total((reward) => reward),
    rewardSquares: sum.rewardSquares + total((reward) => reward * reward),
    slates: sum.slates + enrolled,
  };
}
