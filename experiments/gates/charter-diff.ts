import type { Charter } from '../../models/contracts/charter.ts';
import type { Report } from '../../models/contracts/report.ts';

type Entry = Report['charterDiff'][number];
type Json = Entry['before'];
/** Whether a change makes the way to production easier, or lets through what was kept out. */
type Loosens = (before: Json, now: Json) => boolean;

const lower: Loosens = (before, now) => Number(now) < Number(before);
const higher: Loosens = (before, now) => Number(now) > Number(before);
const becomes =
  (value: Json): Loosens =>
  (_before, now) =>
    now === value;
/** Rung by rung: more at one makes up for less at another in the sum, not in what each must show. */
const lowerAnywhere: Loosens = (before, now) => list(before).some((one, index) => Number(list(now)[index] ?? 0) < Number(one));
const loses: Loosens = (before, now) => list(before).some((one) => !list(now).includes(one));
/** Where there was none, one only narrows. */
const replaces: Loosens = (before) => before !== null;
const thaws: Loosens = (before, now) => list(before).some((span) => !isCovered(span as unknown as Span, list(now) as unknown as Span[]));

/** Fields that limit what goes to production and what is shown. Those that are not here may change without special consent. */
const limits: Readonly<Record<string, Loosens>> = {
  '/scope/inStockOnly': becomes(false),
  '/scope/itemIdPattern': replaces,
  '/scope/excludeCategories': loses,
  '/scope/excludeItems': loses,
  // A flag that nobody names holds for everybody.
  '/guardrails/flags': (_before, now) => list(now).length > 0,
  // Less to be tested on, or a test on events that training nearly saw.
  '/window/gapDays': lower,
  '/window/testDays': lower,
  '/gates/refreshMargin': higher,
  '/gates/replaceLift': lower,
  '/gates/minCoverage': lower,
  '/gates/minUsers': lower,
  '/gates/maxArtifactMb': higher,
  '/gates/tournament/margin': higher,
  '/gates/minEffectiveSampleSize': lower,
  '/gates/maxForeknowledge': higher,
  '/gates/maxDiversityLoss': higher,
  '/gates/minDiversity': lower,
  '/gates/minNovelty': lower,
  '/gates/maxReplayedSlates': lower,
  '/gates/logLimits/maxItemWeight': higher,
  '/gates/logLimits/minSupport': lower,
  '/gates/logLimits/minRewardedSampleSize': lower,
  '/gates/logLimits/maxWeightShare': higher,
  '/gates/logLimits/maxTailIndex': higher,
  '/gates/logLimits/minMeanWeightP': lower,
  '/gates/logLimits/minDriftP': lower,
  '/gates/logLimits/checkError': lower,
  '/gates/withoutCounterfactualSupport': becomes('pass'),
  '/release/fourEyes': becomes(false),
  '/release/freezeWindows': thaws,
  '/release/rehearsal/slates': lower,
  '/release/rehearsal/maxDurationMs': lower,
  '/release/canary/shadowSlates': lower,
  '/release/canary/minUnits': lowerAnywhere,
  '/release/canary/alpha': higher,
  '/release/canary/inconclusive': becomes('promote'),
  '/release/canary/refreshMargin': higher,
  '/release/canary/maxErrorShare': higher,
  '/release/canary/maxFallbackShare': higher,
  '/release/canary/maxP99Ms': higher,
};
/** Any change of these lets somebody decide who could not, or by other measures: never a tightening that needs no eyes. */
const always = ['/release/approvers', '/gates/primaryMetric', '/reward', '/release/canary/ladder', '/data/rules'];
/** Where there was nothing of these, something only narrows; what there was may have been stricter. */
const onceSaid = ['/fairness', '/guardrails'];

/** Leaf by leaf what the charter says now and did not then; `loosens` where a gate, a guardrail, the scope or an approval became easier. */
export function diffCharters(then: Charter, now: Charter): Entry[] {
  const before = leaves(then);
  const after = leaves(now);
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths.flatMap((path) => {
    const [old, fresh] = [before.get(path) ?? null, after.get(path) ?? null];
    if (JSON.stringify(old) === JSON.stringify(fresh)) return [];
    const isOf = (prefixes: readonly string[]): boolean => prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
    const loosens = isOf(always) || (isOf(onceSaid) && old !== null && !isEmpty(old)) || (limits[path]?.(old, fresh) ?? false);
    return [{ path, before: old, now: fresh, loosens }];
  });
}

const isEmpty = (value: Json): boolean => Array.isArray(value) && value.length === 0;
const list = (value: Json): Json[] => (Array.isArray(value) ? value : []);

type Span = Pick<Charter['release']['freezeWindows'][number], 'fromMs' | 'toMs'>;

/** Whether the spans together hold every instant of the one, whose end is not part of it. */
function isCovered({ fromMs, toMs }: Span, spans: readonly Span[]): boolean {
  let coveredTo = fromMs;
  for (const span of [...spans].sort((a, b) => a.fromMs - b.fromMs)) if (span.fromMs <= coveredTo) coveredTo = Math.max(coveredTo, span.toMs);
  return coveredTo >= toMs;
}

/** JSON pointer → value; arrays are leaves. */
function leaves(value: unknown, path = '', found = new Map<string, Json>()): Map<string, Json> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    for (const [key, member] of Object.entries(value)) leaves(member, `${path}/${key}`, found);
  else if (value !== undefined) found.set(path, value as Json);
  return found;
}
