import type { AmongDecision } from '../../models/contracts/canary.ts';
import { normalBelow } from '../normal.ts';
import { type ArmData, noArmData, noCounts, type Stratum, type StratumArm } from './arm-data.ts';
import { prepareBets } from './betting.ts';
import { challengerShare } from './challenger-share.ts';
import { withholdsVerdict } from './conditions.ts';
import { type CanaryInput, weighCanary } from './decide-canary.ts';
import { estimateLift } from './lift.ts';
import { pairShare } from './pair-share.ts';

/** Units that were all enrolled with the same shares; whose share is absent or zero took no part. */
export type SharedStratum = { generation: number; shares: Record<string, number>; champion: StratumArm; challengers: Record<string, StratumArm> };

export type AmongInput = Omit<CanaryInput, 'intent' | 'share' | 'arms'> & {
  intents: Record<string, CanaryInput['intent']>;
  /** Each challenger's share in force; all 0 before the first split, later 0 of those that are out. The names are those of the release. */
  shares: Record<string, number>;
  /** What happened to each challenger and the champion, by the tally of the log or by `pairOf`. Pauses are the release's, the same in all. */
  arms: Record<string, ArmData>;
};
type Weighed = ReturnType<typeof weighCanary>;
type Pair = Weighed & { name: string; arms: ArmData; current: number; silent: boolean };

/**
 * One look at several challengers of one champion. Each is judged by `decideCanary` against the champion alone, as a `refresh` or a `replace` of its own,
 * with `alpha` divided by their number (Bonferroni: each e-process must reach K / alpha), so that over the release, whichever shares moved and whoever left:
 * - any challenger that is not worse and keeps within its guardrails is eliminated with probability alpha at most, all of them together;
 * - one that is not better (or, for `refresh`, lies below the margin) is promoted with probability alpha at most, all of them together.
 * As in `decideCanary`, what becomes of them when time is over is not counted.
 *
 * Losers leave, and their share goes to those that are left. One that has earned it is promoted as soon as no other one that is left is estimated
 * better; a rung ends when all that are left have its users. When time is over each leaves or may be promoted: the best of those that have earned it, or else
 * of those that the charter keeps. One whose pair with the champion has a silent arm is not waited for, since nothing is measured there: the others go up and
 * are promoted without it, and its share does not grow. Where the champion is the silent one no rung ends. With one challenger the decision is that of
 * `decideCanary`.
 */
export function decideAmong({ shares, arms, intents, ...common }: AmongInput): AmongDecision {
  const names = Object.keys(shares);
  const { releaseId, look, stage } = common;
  const charter = charterOfPair({ charter: common.charter, challengers: names.length });
  // Beside others that have a share, one without any is out: nothing is decided of it any more.
  const opening = names.every((name) => shares[name] === 0);
  const judged = names
    .filter((name) => opening || shares[name] !== 0)
    .map((name): Pair => {
      const own = { arms: arms[name] ?? noArmData, current: shares[name] ?? 0 };
      const weighed = weighCanary({ ...common, charter, intent: intents[name] ?? 'replace', share: own.current, arms: own.arms });
      return { ...weighed, ...own, name, silent: withholdsVerdict(weighed.decision.conditions ?? []) };
    });
  const left = judged.filter(({ decision }) => decision.action !== 'roll-back');
  const { action, best } = conclude(left);
  const decidedBy = best ?? bestOf(left) ?? bestOf(judged);
  const cap = common.charter.release.canary.ladder[action === 'advance' ? stage + 1 : stage] ?? 0;
  const divided = action === 'promote' || action === 'roll-back' ? {} : divide({ left, cap, capPerUnit: charter.reward.capPerUnit });
  const sharesNow = Object.fromEntries(names.map((name) => [name, action === 'promote' && name === best?.name ? 1 : (divided[name] ?? 0)]));
  return {
    releaseId,
    look,
    stage,
    action,
    verdict: decidedBy?.decision.verdict ?? 'not-enough-evidence',
    promoted: action === 'promote' ? (best?.name ?? null) : null,
    out: names.filter((name) => left.every((pair) => pair.name !== name)),
    // A challenger's own decision knows nothing of the others' shares.
    decisions: Object.fromEntries(judged.map(({ name, decision }) => [name, { ...decision, share: sharesNow[name] ?? 0 }])),
    shares: sharesNow,
  };
}

/** What a look comes to, by those that have not lost. `best`: by whom it is decided, where anything is measured. */
function conclude(left: readonly Pair[]): { action: AmongDecision['action']; best: Pair | undefined } {
  if (left.length === 0) return { action: 'roll-back', best: undefined };
  const measured = left.filter(({ silent }) => !silent);
  const isKept = ({ decision, earned }: Pair) => decision.action === 'promote' && !earned;
  const best = bestOf(measured.filter((pair) => !isKept(pair))) ?? bestOf(measured);
  if (best?.decision.action === 'promote') return { action: 'promote', best };
  const championIsSilent = left.some(({ silent, arms: { signs, champion } }) => silent && (signs?.heard.champion ?? champion.enrolled) === 0);
  const goesUp = best !== undefined && !championIsSilent && measured.every(({ decision }) => decision.action === 'advance');
  return { action: goesUp ? 'advance' : 'wait', best };
}

/** The charter as each of several pairs has it: an equal part of `alpha`, and the ladder and the planned users as the two of them will meet them. */
export function charterOfPair<T extends CanaryInput['charter']>({ charter, challengers }: { charter: T; challengers: number }): T {
  const { canary } = charter.release;
  const shareAt = (cap: number) => pairShare({ own: cap / challengers, all: Array.from({ length: challengers }, () => cap / challengers) }) ?? 0;
  const others = ((canary.ladder.at(-1) ?? 0) * (challengers - 1)) / challengers;
  const each = {
    alpha: canary.alpha / challengers,
    ladder: canary.ladder.map(shareAt),
    ...(canary.plannedUsers === undefined ? {} : { plannedUsers: Math.round(canary.plannedUsers * (1 - others)) }),
  };
  return { ...charter, release: { ...charter.release, canary: { ...canary, ...each } } };
}

/** The one with the greatest estimate, the first of equals. */
function bestOf(pairs: readonly Pair[]): Pair | undefined {
  return [...pairs].sort((a, b) => b.decision.lift.value - a.decision.lift.value)[0];
}

/**
 * Thompson sampling within limits: the whole by the best one's probability of beating the champion; half of it in equal parts, half by each one's of being
 * best. One that is silent gets no more than it has.
 */
function divide({ left, cap, capPerUnit }: { left: readonly Pair[]; cap: number; capPerUnit: number }): Record<string, number> {
  const now = left.reduce((sum, { current }) => sum + current, 0);
  if (now === 0) return Object.fromEntries(left.map(({ name }) => [name, cap / 2 / left.length]));
  const heard = left.filter(({ silent }) => !silent);
  const measured = heard.length === 0 ? left : heard;
  const probability = Math.max(...measured.map(({ decision }) => decision.probabilityBetter));
  const whole = challengerShare({ cap, probability, current: now });
  const held = left.filter((pair) => !measured.includes(pair)).map(({ name, current }) => ({ name, share: Math.min(current, (0.5 * whole) / left.length) }));
  const rest = held.reduce((sum, { share }) => sum - share, whole);
  const best = probabilitiesBest(measured.map(({ arms }) => estimateLift(prepareBets({ strata: arms.strata, cap: capPerUnit }))));
  const parts = measured.map(({ name }, index) => ({ name, share: rest * (0.5 / measured.length + 0.5 * (best[index] ?? 0)) }));
  const wanted: Record<string, number> = Object.fromEntries([...held, ...parts].map(({ name, share }) => [name, share]));
  // Each change is a generation that every replica must load.
  const stays = whole === now && left.every(({ name, current }) => Math.abs(current - (wanted[name] ?? 0)) <= 0.1 * cap);
  return Object.fromEntries(left.map(({ name, current }) => [name, stays ? current : (wanted[name] ?? 0)]));
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

/** A challenger and the champion alone, from the strata of all. */
export function pairOf(strata: readonly SharedStratum[], name: string, rest: Pick<ArmData, 'ripeByStage'>): ArmData {
  const pair: Stratum[] = strata.flatMap(({ generation, shares, champion, challengers }) => {
    const share = pairShare({ own: shares[name] ?? 0, all: Object.values(shares) });
    const challenger = challengers[name];
    return share === null || challenger === undefined ? [] : [{ generation, share, champion, challenger }];
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
