import type { Charter } from '../../models/contracts/charter.ts';
import type { Report } from '../../models/contracts/report.ts';

/** Limits, and which direction makes the way to production easier. */
const easier: Readonly<Record<string, 'lower' | 'higher' | 'pass' | 'false' | 'shorter'>> = {
  '/gates/refreshMargin': 'higher',
  '/gates/replaceLift': 'lower',
  '/gates/minCoverage': 'lower',
  '/gates/minUsers': 'lower',
  '/gates/maxArtifactMb': 'higher',
  '/gates/minEffectiveSampleSize': 'lower',
  '/gates/withoutCounterfactualSupport': 'pass',
  '/release/fourEyes': 'false',
  '/release/rehearsal/slates': 'lower',
  '/release/canary/shadowSlates': 'lower',
  '/release/canary/alpha': 'higher',
  '/release/canary/refreshMargin': 'higher',
  '/release/canary/maxErrorShare': 'higher',
  '/release/canary/maxFallbackShare': 'higher',
  '/release/canary/maxP99Ms': 'higher',
  '/release/canary/minUnits': 'lower',
  '/release/freezeWindows': 'shorter',
};
/** Any change of these lets somebody decide who could not, or by other measures: never a tightening that needs no eyes. */
const always = ['/release/approvers', '/gates/primaryMetric', '/reward', '/release/canary/ladder', '/data/rules'];

type Entry = Report['charterDiff'][number];
type Json = Entry['before'];

/** Leaf by leaf what the charter says now and did not then; `loosens` where a gate, a guardrail or an approval became easier. */
export function diffCharters(then: Charter, now: Charter): Entry[] {
  const before = leaves(then);
  const after = leaves(now);
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths.flatMap((path) => {
    const [old, fresh] = [before.get(path) ?? null, after.get(path) ?? null];
    return JSON.stringify(old) === JSON.stringify(fresh) ? [] : [{ path, before: old, now: fresh, loosens: loosens(path, old, fresh) }];
  });
}

function loosens(path: string, old: Json, fresh: Json): boolean {
  if (always.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))) return true;
  const direction = easier[path];
  if (direction === undefined) return false;
  if (direction === 'pass') return fresh === 'pass';
  if (direction === 'false') return fresh === false;
  if (direction === 'shorter') return JSON.stringify(fresh).length < JSON.stringify(old).length;
  const [a, b] = [total(old), total(fresh)];
  return direction === 'higher' ? b > a : b < a;
}

const total = (value: Json): number => (Array.isArray(value) ? value.reduce<number>((sum, one) => sum + Number(one), 0) : Number(value));

/** JSON pointer → value; arrays are leaves. */
function leaves(value: unknown, path = '', found = new Map<string, Json>()): Map<string, Json> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    for (const [key, member] of Object.entries(value)) leaves(member, `${path}/${key}`, found);
  else if (value !== undefined) found.set(path, value as Json);
  return found;
}
