import { z } from 'zod';
import { canonicalJson } from '../../models/contracts/digest.ts';
import { type Report, report as reportSchema } from '../../models/contracts/report.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { firstDifference, largestDifference } from './differences.ts';
import { digestStage, notRecorded, type Sides, type Stage } from './stages-of-training.ts';

export async function testStage({ evaluation }: Sides): Promise<Stage[]> {
  return [digestStage({ stage: 'test-part', name: 'test', makings: evaluation })];
}

export async function metricsStage({ run, again, readable }: Sides): Promise<Stage[]> {
  const stage = 'metrics';
  if (run.metrics === again.evaluated.metrics) return [{ stage, status: 'equal', detail: run.metrics }];
  // That the artifact is another one was said before.
  const figures = z.looseObject({ users: z.json(), metrics: z.json() }).transform(({ users, metrics }) => ({ users, metrics }));
  const [first, second] = [await readable(run.metrics, figures), await readable(again.evaluated.metrics, figures)];
  if (first === null || second === null) return [{ stage, status: 'differs', detail: `${run.metrics} became ${again.evaluated.metrics}` }];
  return [compared(stage, first, second) ?? { stage, status: 'equal', detail: 'the same figures, of another artifact' }];
}

/** What a report says of the candidate alone, whoever is champion. */
function ownEvidence({ users, metrics, slices = {}, segments = [], origins, frontier, leak }: Report) {
  const own = ({ lift: _, ...part }: { lift: Record<string, Interval> | null; [key: string]: unknown }) => part;
  return {
    users,
    metrics,
    slices: Object.fromEntries(Object.entries(slices).map(([name, part]) => [name, own(part)])),
    segments: segments.map(own),
    frontier,
    leak,
    ...(origins === undefined ? {} : { origins: { splits: origins.splits.map(own), pooled: origins.pooled } }),
  };
}

export async function evidenceStage(sides: Sides): Promise<Stage[]> {
  const [first, again] = await reportsOf(sides);
  const stage = 'evidence';
  if (first === null || again === null) return [notRecorded(stage)];
  const own = ownEvidence(first);
  const parts = Object.entries(own).flatMap(([name, part]) => (part === undefined ? [] : name));
  return [compared(stage, own, ownEvidence(again)) ?? { stage, status: 'equal', detail: parts.join(', ') }];
}

/** The whole report, gates and all, where the candidate met the same champion, and the same past of the log's foresight, as then. */
export async function verdictStage(sides: Sides): Promise<Stage[]> {
  const stage = 'verdict';
  const [first, again] = await reportsOf(sides);
  if (first === null || again === null) return [notRecorded(stage)];
  const met = ({ champion, charterDiff, trackRecord }: Report) => canonicalJson({ champion, charterDiff, trackRecord });
  if (met(first) !== met(again)) {
    const then =
      first.champion === again.champion
        ? 'the champion came by another charter, or the log has foretold more'
        : `against ${nameOf(first)} then, ${nameOf(again)} now`;
    return [{ stage, status: 'not-compared', detail: then }];
  }
  const whole = ({ artifact: _, ...said }: Report) => said;
  return [compared(stage, whole(first), whole(again)) ?? { stage, status: 'equal', detail: first.passed ? 'passed' : `refused: ${first.reasons.join('; ')}` }];
}

const nameOf = ({ champion }: Report) => (champion === null ? 'no champion' : `champion ${champion.slice(7, 19)}`);

async function reportsOf({ run, again, readable }: Sides): Promise<readonly [Report | null, Report | null]> {
  return [await readable(run.report, reportSchema), await readable(again.evaluated.report, reportSchema)];
}

/** Undefined where the two are equal. */
function compared(stage: string, first: unknown, again: unknown): Stage | undefined {
  const at = firstDifference(first, again);
  if (at === undefined) return undefined;
  const { largest, differ, of } = largestDifference(first, again);
  return { stage, status: 'differs', detail: at.replace(/^: /, ''), at, largest: largest === null ? null : { what: `${differ} of ${of} numbers`, ...largest } };
}
