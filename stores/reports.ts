import { type Report, type ReportAnswer, type ReportCase, report, reportCase } from '../models/contracts/escalation.ts';
import { type GenerationStore, parseGeneration } from './generations.ts';

type Of = { surface: string; id: string };

export const reportSeries = ({ surface, id }: Of) => `escalation/${surface}/${id}`;
export const caseSeries = (surface: string, caseId: string) => `escalation-case/${surface}/${caseId}`;

/** As it stands; undefined before its workflow has opened it. */
export async function latestReport(generations: GenerationStore, of: Of): Promise<Report | undefined> {
  const series = reportSeries(of);
  const latest = await generations.latest(series);
  return latest === undefined ? undefined : parseGeneration(report, { series, ...latest });
}

export async function latestCase(generations: GenerationStore, { surface, caseId }: { surface: string; caseId: string }): Promise<ReportCase | undefined> {
  const series = caseSeries(surface, caseId);
  const latest = await generations.latest(series);
  return latest === undefined ? undefined : parseGeneration(reportCase, { series, ...latest });
}

/** All reports of a surface that have been opened, the oldest first. */
export async function readReports(generations: GenerationStore, surface: string): Promise<Report[]> {
  const found: Report[] = [];
  for (const series of await generations.series(reportSeries({ surface, id: '' }))) {
    const latest = await generations.latest(series);
    if (latest !== undefined) found.push(parseGeneration(report, { series, ...latest }));
  }
  return found.sort((a, b) => a.openedAtMs - b.openedAtMs || (a.id < b.id ? -1 : 1));
}

/** What its reporter is told: of a duplicate, what became of the report that it is attached to. Undefined before it is opened. */
export async function answerOf(generations: GenerationStore, of: Of): Promise<ReportAnswer | undefined> {
  const own = await latestReport(generations, of);
  if (own === undefined) return undefined;
  const found = own.duplicateOf === null ? own : await latestReport(generations, { surface: of.surface, id: own.duplicateOf });
  // Whoever wrote the first report of the case may be about to write how it stands.
  const state = found === undefined || found.state === 'duplicate' ? 'received' : found.state;
  return { id: of.id, state, outcome: found?.outcome ?? null };
}
