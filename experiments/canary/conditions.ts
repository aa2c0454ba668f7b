import type { CanaryCondition } from '../../models/contracts/canary.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { VariantName } from '../../models/contracts/deployment.ts';
import type { ArmData } from './arm-data.ts';
import { percent } from '../percent.ts';

type Canary = Charter['release']['canary'];
type Input = { arms: ArmData; canary: Canary; capPerUnit: number; elapsedMs: number };
type Name = CanaryCondition['name'];

/** Slates or events of one user in one canary that no person comes to. */
const botAtLeast = 1_000;
/** An arm is called silent where chance would leave it so with about this probability. */
const silentBelow = 1e-4;
/** Clocks of the machines that write the log may differ by this much. */
const clockSkewMs = 60_000;

/** So long nothing must be served for it to be a pause of the release, and no quiet hour: a twentieth of the canary, and ten looks at least. */
export function quietAfterMs({ maxDurationMs, lookEveryMs }: Canary): number {
  return Math.max(10 * lookEveryMs, maxDurationMs / 20);
}

/** How long the canary has run, pauses left out; these, up to as long as it may run, so that it ends at some time whatever happens. */
export function activeMs({ elapsedMs, arms, canary }: { elapsedMs: number; arms: ArmData; canary: Canary }): number {
  return elapsedMs - Math.min(arms.signs?.quietMs ?? 0, canary.maxDurationMs);
}

/**
 * What may look like evidence and is none, each by name and with what is done about it: most of it by how users and rewards are counted, a silent arm
 * and a pause by waiting (`withholdsVerdict`, `activeMs`).
 */
export function conditionsOf(input: Input): CanaryCondition[] {
  const checks: Record<Name, (input: Input) => string | null> = {
    'near-zero-traffic': nearZeroTraffic,
    'silent-arm': silentArm,
    duplicates,
    bot,
    'paused-clock': pausedClock,
    'delayed-rewards': delayedRewards,
  };
  return (Object.keys(checks) as Name[]).flatMap((name) => {
    const sentence = checks[name](input);
    return sentence === null ? [] : [{ name, sentence }];
  });
}

/** Where one arm is silent, what is missing is a measurement, and not a reward. */
export function withholdsVerdict(conditions: readonly CanaryCondition[]): boolean {
  return conditions.some(({ name }) => name === 'silent-arm');
}

/** Where too little was measured, nothing is kept for want of evidence against it. */
export function withholdsKeeping(conditions: readonly CanaryCondition[]): boolean {
  return conditions.some(({ name }) => name === 'silent-arm' || name === 'near-zero-traffic' || name === 'delayed-rewards');
}

/** Even with the whole time on the last rung. */
function nearZeroTraffic({ arms, canary, elapsedMs }: Input): string | null {
  if (elapsedMs < canary.maxDurationMs / 20) return null;
  const elapsed = activeMs({ elapsedMs, arms, canary });
  const users = arms.champion.enrolled + arms.challenger.enrolled;
  const expected = elapsed <= 0 ? 0 : Math.floor((users / elapsed) * canary.maxDurationMs * (canary.ladder.at(-1) ?? 0));
  const needed = canary.minUnits.reduce((sum, units) => sum + units, 0);
  if (expected >= needed) return null;
  return `Hardly any traffic: ${users} users so far. At this pace the challenger meets ${expected} at most by the end, and its rungs ask for ${needed}.`;
}

function silentArm({ arms }: Input): string | null {
  const all = arms.champion.enrolled + arms.challenger.enrolled;
  const expected = arms.strata.reduce((sum, { share, champion, challenger }) => sum + share * (champion.enrolled + challenger.enrolled), 0);
  const enough = -Math.log(silentBelow);
  if (arms.challenger.enrolled === 0 && expected >= enough) return `The challenger met none of ${all} users, where ${expected.toFixed(0)} were expected.`;
  if (arms.champion.enrolled === 0 && all - expected >= enough)
    return `The champion met none of ${all} users, where ${(all - expected).toFixed(0)} were expected.`;
  const { signs } = arms;
  if (signs === undefined) return null;
  for (const [own, other] of [
    ['challenger', 'champion'],
    ['champion', 'challenger'],
  ] as [VariantName, VariantName][]) {
    const rate = arms[other].enrolled === 0 ? 0 : signs.heard[other] / arms[other].enrolled;
    if (signs.heard[own] > 0 || rate === 0 || -arms[own].enrolled * Math.log1p(-Math.min(rate, 0.999)) < enough) continue;
    return `No event of any kind came from the ${arms[own].enrolled} users of the ${own}, while ${percent(rate)} of the ${other}'s were heard of: no verdict on rewards that cannot be seen.`;
  }
  return null;
}

function duplicates({ arms: { signs } }: Input): string | null {
  if (signs === undefined || signs.duplicates.slates + signs.duplicates.events === 0) return null;
  return `${signs.duplicates.slates} slates and ${signs.duplicates.events} events were logged more than once; each counts once.`;
}

function bot({ arms: { signs }, capPerUnit }: Input): string | null {
  const busy = (['champion', 'challenger'] as const).flatMap((variant) => {
    const { slates, events } = signs?.busiest[variant] ?? { slates: 0, events: 0 };
    if (slates < botAtLeast && events < botAtLeast) return [];
    return [`one user of the ${variant} has up to ${slates} slates or ${events} events`];
  });
  if (busy.length === 0) return null;
  return `Perhaps a bot: ${busy.join(', ')}. It is left in: it counts as one user, its reward as ${capPerUnit} at most, and guardrails must be broken by users too.`;
}

function pausedClock({ arms: { signs }, elapsedMs, canary }: Input): string | null {
  if (elapsedMs < 0 || (signs?.aheadMs ?? 0) > clockSkewMs)
    return `The clock went back: the log holds slates from ${Math.round((signs?.aheadMs ?? 0) / 1000)} s after this look. Outcomes count as known only when the clock says so.`;
  const quiet = signs?.quietMs ?? 0;
  if (quiet === 0) return null;
  return `Nothing was served for ${Math.round(quiet / 1000)} s in all; up to ${Math.round(canary.maxDurationMs / 1000)} s of it do not count towards the end of the canary.`;
}

function delayedRewards({ arms: { champion, challenger } }: Input): string | null {
  const [enrolled, ripe] = [champion.enrolled + challenger.enrolled, champion.ripe + challenger.ripe];
  if (2 * ripe >= enrolled) return null;
  return `The outcomes of ${enrolled - ripe} of ${enrolled} users are not known yet; they do not count until the attribution time has passed.`;
}
