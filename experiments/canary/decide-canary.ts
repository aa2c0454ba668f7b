import type { CanaryCondition, CanaryDecision } from '../../models/contracts/canary.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import type { Interval, Verdict } from '../../models/contracts/verdict.ts';
import type { ArmData } from './arm-data.ts';
import { type Bets, prepareBets, rejects } from './betting.ts';
import { challengerShare, probabilityBetter } from './challenger-share.ts';
import { activeMs, conditionsOf, withholdsKeeping, withholdsVerdict } from './conditions.ts';
import { rollbackAlpha } from './error-budget.ts';
import { brokenGuardrails, sampleRatioPValue } from './guardrails.ts';
import { liftInterval } from './lift.ts';
import { percent } from '../percent.ts';
import { reportedMeans } from './reported-means.ts';
import { segmentShares } from './segment-shares.ts';
import type { Plan } from './stakes.ts';

export type CanaryInput = {
  charter: { release: { canary: Charter['release']['canary'] }; reward: Charter['reward'] };
  intent: 'refresh' | 'replace';
  releaseId: string;
  /** Number of the look; 0 comes before any traffic. */
  look: number;
  /** Zero-based rung of the ladder that is looked at. */
  stage: number;
  /** The challenger's share in force; 0 before the first split. */
  share: number;
  /** Since the canary began. */
  elapsedMs: number;
  arms: ArmData;
};

type Canary = Charter['release']['canary'];
/** `kept`: promoted for want of evidence against it, when time is over. */
type Judged = { action: CanaryDecision['action']; reasons: string[]; kept?: true };

/**
 * One look at a canary: wait, go up a rung, promote or roll back, and the challenger's share from now on. Pure: same input, same decision.
 *
 * Error rates, whatever the number of looks, the moves of the share, trends in time and the distribution of rewards (see betting.ts), with
 * `alpha` of the charter, per release:
 * - a challenger that is not worse and keeps within its guardrails is rolled back, for whatever reason, with probability alpha at most: reward,
 *   guardrails, sample ratio and shadow stage share it (error-budget.ts);
 * - with `replace`, a challenger that is not better is promoted with probability alpha at most;
 * - with `refresh`, one whose mean reward is below (1 - refreshMargin) times the champion's is promoted with probability alpha at most.
 * Not counted in them: what becomes of it when `maxDurationMs` runs out, which is the answer `not-enough-evidence` and the charter's `inconclusive`.
 *
 * `verdict` is about reward alone. `share` is 0 after a rollback and 1 after a promotion, otherwise within [cap/2, cap] of the next rung, as is each of
 * `segmentShares`, which are there where users were recorded with their segment. `reported` is for people, and `conditions` names what is no evidence.
 */
export function decideCanary(input: CanaryInput): CanaryDecision {
  return weighCanary(input).decision;
}

/** The same, and whether a promotion was earned: not `kept` when time was over without a verdict. */
export function weighCanary(input: CanaryInput): { decision: CanaryDecision; earned: boolean } {
  const { charter, releaseId, look, stage, share, arms } = input;
  const { canary } = charter.release;
  const bets = prepareBets({ strata: arms.strata, cap: charter.reward.capPerUnit, plan: planOf(canary) });
  const opening = look === 0 || share === 0;
  const conditions = opening ? [] : conditionsOf({ arms, canary, capPerUnit: charter.reward.capPerUnit, elapsedMs: input.elapsedMs });
  const lift = liftInterval(bets, { low: canary.alpha, high: rollbackAlpha('reward', canary.alpha) });
  const verdict = withholdsVerdict(conditions) ? 'not-enough-evidence' : verdictOf(bets, canary.alpha);
  const probability = probabilityBetter(bets);
  const sampleRatio = sampleRatioPValue(arms.strata);
  const { action, reasons, kept }: Judged = opening
    ? { action: 'wait', reasons: [`opens rung 1 of ${canary.ladder.length}`] }
    : judge({ input, bets, lift, verdict, sampleRatio, conditions });
  const reported = reportedMeans(arms.strata);
  const decision: CanaryDecision = {
    releaseId,
    look,
    stage,
    action,
    ...sharesAfter({ input, action, opening, probability }),
    verdict,
    reasons,
    ...(conditions.length === 0 ? {} : { conditions }),
    champion: arms.champion,
    challenger: arms.challenger,
    lift,
    ...(reported === null ? {} : { reported }),
    probabilityBetter: probability,
    sampleRatioPValue: sampleRatio,
    evidenceDigest: digestJson(input),
  };
  return { decision, earned: action === 'promote' && kept !== true };
}

type Judge = { input: CanaryInput; bets: Bets; lift: Interval; verdict: Verdict; sampleRatio: number; conditions: CanaryCondition[] };

/** What harms comes first; then the end of the ladder; then time; then the next rung. Where an arm is silent, only guardrails and time act. */
function judge({ input, bets, lift, verdict, sampleRatio, conditions }: Judge): Judged {
  const { arms, stage, elapsedMs, charter, intent } = input;
  const { canary } = charter.release;
  const found = describeLift(lift, arms);
  const silent = withholdsVerdict(conditions);
  if (!silent && sampleRatio <= rollbackAlpha('sample-ratio', canary.alpha)) return { action: 'roll-back', reasons: [sampleRatioReason(arms, sampleRatio)] };
  const broken = brokenGuardrails({ arms, canary });
  if (broken.length > 0) return { action: 'roll-back', reasons: broken };
  if (verdict === 'worse') return { action: 'roll-back', reasons: [`worse for users: ${found}`] };
  const ripe = arms.ripeByStage[stage] ?? 0;
  const needed = canary.minUnits[stage] ?? 0;
  const last = stage >= canary.ladder.length - 1;
  const enough = ripe >= needed;
  if (last && enough && !silent) {
    if (intent === 'replace' && verdict === 'better') return { action: 'promote', reasons: [`better: ${found}`] };
    if (intent === 'refresh' && notWorseThanMargin(bets, canary))
      return { action: 'promote', reasons: [`not worse than the margin of ${percent(canary.refreshMargin)}: ${found}`] };
  }
  const activeFor = activeMs({ elapsedMs, arms, canary });
  if (activeFor > canary.maxDurationMs) {
    const mayKeep = intent === 'refresh' && last && enough && !withholdsKeeping(conditions) && isWithinMargin({ lift, arms, canary });
    return inconclusive({ mayKeep, seconds: Math.round(activeFor / 1000), found, canary });
  }
  const counted = `${ripe} of ${needed} users of the challenger on rung ${stage + 1}`;
  if (silent) return { action: 'wait', reasons: [`waits, one arm being silent: ${counted}`] };
  if (enough && !last) return { action: 'advance', reasons: [`${counted}, not worse: ${found}`] };
  return { action: 'wait', reasons: [enough ? `no verdict yet: ${found}` : `${counted}; ${found}`] };
}

/** Nothing is known for certain, and the canary ends: by the charter's default, which is no verdict. */
function inconclusive({ mayKeep, seconds, found, canary }: { mayKeep: boolean; seconds: number; found: string; canary: Canary }): Judged {
  if (mayKeep && canary.inconclusive === 'promote')
    return {
      action: 'promote',
      kept: true,
      reasons: [`no verdict after ${seconds} s; kept, as the charter has it for a refresh whose estimate is within ${percent(canary.refreshMargin)}: ${found}`],
    };
  return { action: 'roll-back', reasons: [`no verdict after ${seconds} s: ${found}`] };
}

/** The estimate alone, whatever its interval. */
function isWithinMargin({ lift, arms: { champion }, canary }: { lift: Interval; arms: ArmData; canary: Canary }): boolean {
  return champion.ripe > 0 && lift.value >= (-canary.refreshMargin * champion.rewardSum) / champion.ripe;
}

function verdictOf(bets: Bets, alpha: number): Verdict {
  if (rejects(bets, { difference: 0, bet: 'below', alpha: rollbackAlpha('reward', alpha) })) return 'worse';
  return rejects(bets, { difference: 0, bet: 'above', alpha }) ? 'better' : 'not-enough-evidence';
}

/** Tested on the ratio itself, so that the champion's mean need not be known. */
function notWorseThanMargin(bets: Bets, { alpha, refreshMargin: margin }: Canary): boolean {
  return rejects(bets, { difference: 0, bet: 'above', margin, alpha });
}

/** Thompson sampling leaves a challenger that is worse at the lower end of the last rung, and one that is better at its cap. */
function planOf({ plannedUsers, ladder }: Canary): Plan | undefined {
  const cap = ladder.at(-1) ?? 0;
  return plannedUsers === undefined ? undefined : { users: plannedUsers, worse: cap / 2, better: cap };
}

type ShareInput = { input: CanaryInput; action: CanaryDecision['action']; opening: boolean; probability: number };

function sharesAfter({ input, action, opening, probability }: ShareInput): Pick<CanaryDecision, 'share' | 'segmentShares'> {
  if (action === 'roll-back') return { share: 0 };
  if (action === 'promote') return { share: 1 };
  const { charter, stage, share: current, arms } = input;
  const cap = charter.release.canary.ladder[action === 'advance' ? stage + 1 : stage] ?? 0;
  // Nothing is known before the first user: the lower end of the rung.
  if (opening) return { share: cap / 2 };
  const share = challengerShare({ cap, probability, current });
  if (arms.strata.every(({ segment }) => segment === undefined)) return { share };
  return { share, segmentShares: segmentShares({ strata: arms.strata, cap, capPerUnit: charter.reward.capPerUnit }) };
}

function describeLift({ value, low, high }: Interval, { champion, challenger }: ArmData): string {
  const mean = (sum: number, units: number) => (units === 0 ? '-' : (sum / units).toFixed(4));
  const arms = `${mean(challenger.rewardSum, challenger.ripe)} a user (${challenger.ripe}) against ${mean(champion.rewardSum, champion.ripe)} (${champion.ripe})`;
  return `${arms}, lift ${value.toFixed(4)} in [${low.toFixed(4)}, ${high.toFixed(4)}]`;
}

function sampleRatioReason(arms: ArmData, pValue: number): string {
  const expected = arms.strata.reduce((sum, { share, champion, challenger }) => sum + share * (champion.enrolled + challenger.enrolled), 0);
  return `sample ratio: ${arms.challenger.enrolled} users enrolled with the challenger where ${expected.toFixed(0)} were expected (p ${pValue.toExponential(1)})`;
}
