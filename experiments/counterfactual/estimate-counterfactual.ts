import type { Charter } from '../../models/contracts/charter.ts';
import type { AssumptionCheck, CounterfactualResult, LogDiagnostic } from '../../models/contracts/counterfactual.ts';
import type { Interval, Verdict } from '../../models/contracts/verdict.ts';
import { checkAssumptions } from './assumption-checks.ts';
import { type ExploredSlot, estimateExamination } from './examination.ts';
import { exposureBias } from './exposure-bias.ts';
import { liftOfSlates } from './lift-of-slates.ts';
import { type LoggedSlate, type WeighedSlate, weighSlate } from './logged-slate.ts';
import { normalInterval } from './normal-interval.ts';
import { type PairedValues, pairedValues } from './paired-values.ts';
import { sensitivityOf } from './sensitivity.ts';
import { clusterScores } from './single-slot/intervals.ts';
import { diagnoseSlates } from './slate-diagnostics.ts';

export type CounterfactualInput = {
  /** In the order in which they were sent. */
  log: readonly LoggedSlate[];
  /** Slates of the log that cannot be used, by reason. */
  voidedBy: Readonly<Record<string, number>>;
  size: number;
  /** Reward of one slot is capped here. */
  maxReward: number;
  limits: Charter['gates']['logLimits'] & { minEffectiveSampleSize: number };
  level?: number;
  seed: number;
  /** Group of an item: the embedding of the marginalized estimate, and what exposure is told by. */
  group?: (itemId: string) => string;
};

const slatesOfStep = 2_000;

/**
 * Reward a slate that candidate and champion would have earned on the log's own requests, and their difference, by the item-position model (see
 * logged-slate.ts and paired-values.ts; lift-of-slates.ts for the interval that decides). Intervals and standard errors are clustered by user, as of users
 * drawn from many.
 */
export function estimateCounterfactual(input: CounterfactualInput): CounterfactualResult {
  const steps = estimationSteps(input);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in steps of parts of a second, for whoever must do something else between them. */
export function* estimationSteps(input: CounterfactualInput): Generator<void, CounterfactualResult, void> {
  const { log, size, maxReward, limits, seed, level = 0.95, group } = input;
  const examination = estimateExamination({ explored: exploredSlotsOf(log), size, seed });
  const slates: WeighedSlate[] = [];
  for (const slate of log) {
    slates.push(weighSlate(slate, { examination: examination.value, maxItemWeight: limits.maxItemWeight }));
    if (slates.length % slatesOfStep === 0) yield;
  }
  const { cluster, clusters } = clustersOf(log);
  const common = { slates, cluster, clusters, examination: examination.value };
  const slots = log.reduce((most, slate) => Math.max(most, slate.exploredSlots.length), 0);
  const valuesOf = (rewardsOf: (slate: LoggedSlate) => ArrayLike<number>, cap: number) =>
    pairedValues({ slates, rewardsOf, examination: examination.value, maxReward: cap, slots });
  const describe = (scores: Float64Array) => normalInterval({ scores, cluster, clusters, level });

  const values = valuesOf((slate) => slate.rewards, maxReward);
  const liftOf = (own: PairedValues, cap: number) => liftOfSlates({ values: own, slates, cluster, clusters, examination, maxReward: cap, level });
  const { lift, liftInterval, widenedBy, rewards } = liftOf(values, maxReward);
  yield;
  const diagnostics = diagnoseSlates({ ...common, rewards, limits });
  const checks = checkAssumptions({ slates, examination: examination.value, maxReward, maxWeight: limits.maxItemWeight * size, error: limits.checkError });
  const kpis: [string, NonNullable<CounterfactualResult['kpis']>[string]][] = [];
  for (const name of Object.keys(log[0]?.kpis ?? {})) {
    yield;
    const own = valuesOf((slate) => slate.kpis?.[name] ?? [], 1);
    const { lift: ofKpi } = liftOf(own, 1);
    kpis.push([name, { candidate: describe(own.candidate), champion: describe(own.champion), lift: ofKpi }]);
  }
  const totalExamination = examination.value.reduce((sum, one) => sum + one, 0);
  const sensitivityInput = { log, cluster, clusters, examination: examination.value, maxReward, maxWeight: limits.maxItemWeight * size, level };
  const sensitivity = yield* sensitivityOf({ ...sensitivityInput, embedding: group });
  yield;
  const figure = (name: string) => diagnostics.find((one) => one.name === name)?.value ?? 0;
  return {
    slates: log.length,
    users: clusters,
    ips: describe(values.weighted),
    snips: describe(selfNormalized(values, totalExamination)),
    dr: describe(values.candidate),
    champion: describe(values.champion),
    logged: describe(values.logged),
    lift,
    liftInterval,
    standardError: finite(clusterScores({ scores: values.lift, cluster, clusters }).standardError),
    widenedBy,
    examination: examination.intervals,
    effectiveSampleSize: figure('effective-sample-size'),
    maxWeight: slates.reduce((most, { wanted }) => wanted.reduce((all, one) => Math.max(all, one.weight.candidate), most), 0),
    support: figure('support'),
    diagnostics,
    checks,
    sensitivity,
    ...(group === undefined ? {} : { exposure: exposureBias({ log, examination: examination.value, group }) }),
    ...(kpis.length === 0 ? {} : { kpis: Object.fromEntries(kpis) }),
    voided: Object.values(input.voidedBy).reduce((sum, count) => sum + count, 0),
    voidedBy: { ...input.voidedBy },
    ...judge({ lift, diagnostics, checks }),
  };
}

/** SNIPS by slate: its influence around the ratio's value, which is sum w r / sum w e times the examination of a slate. */
function selfNormalized({ weighted, weight }: PairedValues, totalExamination: number): Float64Array {
  const sum = (all: Float64Array) => all.reduce((total, one) => total + one, 0);
  const whole = sum(weight);
  if (whole === 0) return new Float64Array(weighted.length);
  const ratio = sum(weighted) / whole;
  const mean = whole / weighted.length;
  return weighted.map((one, index) => totalExamination * (ratio + (one - ratio * (weight[index] as number)) / mean));
}

function clustersOf(log: readonly LoggedSlate[]): { cluster: Int32Array; clusters: number } {
  const known = new Map<string, number>();
  const cluster = Int32Array.from(log, ({ unit }) => {
    const index = known.get(unit) ?? known.size;
    known.set(unit, index);
    return index;
  });
  return { cluster, clusters: known.size };
}

function exploredSlotsOf(log: readonly LoggedSlate[]): ExploredSlot[] {
  return log.flatMap((slate) => slate.exploredSlots.map((slot) => ({ slot, engaged: slate.engaged[slot] === true })));
}

function judge({ lift, diagnostics, checks }: { lift: Interval; diagnostics: readonly LogDiagnostic[]; checks: readonly AssumptionCheck[] }): {
  verdict: Verdict;
  reason: string;
} {
  const objections = [...diagnostics, ...checks].filter((one) => !one.passed).map((one) => one.sentence);
  if (objections.length > 0) return { verdict: 'not-enough-evidence', reason: objections.join('; ') };
  const range = `${lift.low.toFixed(5)} to ${lift.high.toFixed(5)} reward a slate`;
  if (lift.low > 0) return { verdict: 'better', reason: `the lift lies within ${range}` };
  if (lift.high < 0) return { verdict: 'worse', reason: `the lift lies within ${range}` };
  return { verdict: 'not-enough-evidence', reason: `the lift may lie on either side of 0: ${range}` };
}

const finite = (value: number): number => (Number.isFinite(value) ? value : 0);
