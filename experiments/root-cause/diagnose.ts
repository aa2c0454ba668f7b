import { digestJson } from '../../models/contracts/digest.ts';
import {
  type CauseName,
  causes,
  type Diagnosis,
  layers,
  type ProposedMend,
  type RootCauseFacts,
  type Suspect,
  type TrafficRow,
} from '../../models/contracts/root-cause.ts';
import { dataCauses } from './data-causes.ts';
import { compare } from './expectation.ts';
import { type Examine, type Finding, type Look, lookAt, percent, sign, slates } from './look.ts';
import { mendOf } from './mend-of.ts';
import { modelCauses } from './model-causes.ts';
import { outsideCauses } from './outside-causes.ts';
import { servingCauses } from './serving-causes.ts';

const everyCause: readonly Examine[] = [...servingCauses, ...dataCauses, ...modelCauses, ...outsideCauses];

/** What follows from a cause, so that it is no second one unless it stands in another place: each is a suspect still, behind its cause. */
const follows: Partial<Record<CauseName, readonly CauseName[]>> = {
  latency: ['fallback'],
  errors: ['season', 'volume'],
  'stale-deployment': ['new-artifact'],
  'wrong-artifact': ['new-artifact', 'train-serve-difference'],
  schema: ['volume', 'missing-source', 'promotion', 'tracking'],
  'late-events': ['volume'],
  volume: ['missing-source'],
  catalog: ['rules', 'cold-share', 'new-artifact', 'drift'],
  price: ['promotion', 'new-artifact', 'rules'],
  'bad-window': ['new-artifact', 'cold-share'],
  'feature-mismatch': ['new-artifact', 'drift', 'rules'],
  'train-serve-difference': ['new-artifact', 'rules'],
  'cold-share': ['new-artifact', 'rules'],
  drift: ['new-artifact', 'rules'],
  'traffic-mix': ['season'],
  promotion: ['season'],
};
/** How much a suspect counts that follows from another one, and one that is no fault while there is one. */
const [followed, besides] = [0.5, 0.6];

/**
 * Which layer is wrong, and what in it: each cause is looked for by itself, by what only it does, against stretches of time like those of the incident. Suspects that
 * another one brings about stand behind it; what is ruled out is said.
 */
export function diagnose(facts: RootCauseFacts): Diagnosis {
  const look = lookAt(facts);
  const verdicts = everyCause.map((examine) => examine(look));
  const findings = verdicts.flatMap((verdict) => verdict.findings);
  const isFault = findings.some(({ cause }) => causes[cause] !== 'outside');
  const suspects = findings
    .map((finding): Suspect => {
      const roots = findings.filter((other) => other !== finding && follows[other.cause]?.includes(finding.cause));
      const evidence = [...finding.evidence, ...roots.map((root) => sign('against', `${root.cause} brings it about`))];
      const layer = causes[finding.cause];
      const score =
        (1 - Math.exp(-Math.max(0, finding.deviations - 2.5) / 3)) * (roots.length > 0 ? followed : 1) * (layer === 'outside' && isFault ? besides : 1);
      return { cause: finding.cause, layer, where: { ...finding.where }, score, explained: explainedBy(look, finding), evidence };
    })
    .sort(
      (a, b) =>
        b.score - a.score || (b.explained ?? 0) - (a.explained ?? 0) || layers.indexOf(a.layer) - layers.indexOf(b.layer) || (a.cause < b.cause ? -1 : 1),
    );
  const first = suspects[0];
  return {
    kind: 'diagnosis',
    surface: facts.surface,
    facts: digestJson(facts),
    layer: first?.layer ?? null,
    suspects,
    ruledOut: verdicts.flatMap((verdict) => verdict.ruledOut),
    notLookedAt: verdicts.flatMap((verdict) => verdict.notLookedAt),
    mend: first === undefined ? null : mendOf(first, facts),
    change: changeOf(look),
    note: noteOf(first, changeOf(look)),
  };
}

const reward = (row: TrafficRow): number => row.reward;

/** Reward a slate: as its mix of visitors would have it, and as each sort of them gives it. */
function changeOf(look: Look): Diagnosis['change'] {
  const whole = compare({ units: look.units, numerator: look.byUnit(look.traffic, reward), denominator: look.byUnit(look.traffic, slates) });
  if (whole === undefined) return null;
  const usual = look.usualOf(reward, slates);
  const of = (rows: readonly TrafficRow[]) =>
    rows.reduce((sum, row) => sum + row.slates * usual(row), 0) /
    Math.max(
      1,
      rows.reduce((sum, row) => sum + row.slates, 0),
    );
  const mix = of(look.trafficNow) - of(look.traffic.filter((row) => !look.isNow(row)));
  return { actual: whole.value, expected: whole.expected, mix, rate: whole.value - whole.expected - mix, deviations: whole.deviations };
}

/** Of the reward that is missing, or too much, the share in the slates that a finding is about. */
function explainedBy(look: Look, { rows }: Finding): number | null {
  if (rows === undefined) return null;
  const usual = look.usualOf(reward, slates);
  const off = (some: readonly TrafficRow[]) => some.reduce((sum, row) => sum + row.reward - row.slates * usual(row), 0);
  const whole = off(look.trafficNow);
  return whole === 0 ? null : off(look.trafficNow.filter(rows)) / whole;
}

function noteOf(first: Suspect | undefined, change: Diagnosis['change']): string {
  const worth = change === null ? '' : ` A slate is worth ${percent(change.actual / change.expected)} of what is expected.`;
  if (first === undefined) return `Nothing that could be looked at is other than it always is.${worth}`;
  if (first.layer === 'outside') return `Nothing of ours is wrong that could be seen: ${first.evidence[0]?.says ?? first.cause}.${worth}`;
  return `${first.evidence[0]?.says ?? first.cause}.${worth}`;
}

export type { ProposedMend };
