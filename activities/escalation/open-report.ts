import { canonicalJson, digestJson } from '../../models/contracts/digest.ts';
import { type FiledReport, type Report, type ReportStanding, type ReportText, report as reportSchema, reportText } from '../../models/contracts/escalation.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { readFiled, removeFiled } from '../../stores/report-inbox.ts';
import { latestReport, reportSeries } from '../../stores/reports.ts';
import { canTell, recorded, type ReportContext } from './change-report.ts';
import { openedReport, severityOf, standingOf } from './report-steps.ts';
import { currentRules, type ReportRules } from './rules.ts';
import { joinCase } from './report-case.ts';
import { oneAtATime } from './one-at-a-time.ts';

type Of = { surface: string; id: string };

/**
 * A report that was filed becomes one that is somebody's, until a time, or is attached to the one about the same that is open. Asked again it answers how the
 * report stands, and finishes what a killed one left.
 * @throws UND-NOT-FOUND where nobody filed it; UND-UNKNOWN-SURFACE
 */
export async function openReport(context: ReportContext, of: Of): Promise<ReportStanding> {
  const { state } = context;
  const report = (await latestReport(state.generations, of)) ?? (await opened(context, of));
  await recorded(context, report);
  await removeFiled(state.root, of);
  return standingOf(report, canTell(context));
}

async function opened(context: ReportContext, of: Of): Promise<Report> {
  const { blobs, generations, root } = context.state;
  const filed = await readFiled(root, of);
  if (filed === undefined) throw new UnderstudyError('UND-NOT-FOUND', `${of.surface} has no report ${of.id}`);
  const rules = await currentRules(context.state, of.surface);
  const { id, words, about, reporter } = filed;
  const text: ReportText = { kind: 'report-text', id, words, pattern: about.of === 'pattern' ? about.pattern : null, ...reporter };
  const digest = await blobs.put(canonicalJson(reportText.parse(text)));
  const caseId = caseOf(filed, rules);
  const join = (inCase: string) => oneAtATime(`${root}/${of.surface}/${inCase}`, () => joinCase(generations, { surface: of.surface, caseId: inCase, id }));
  const primary = caseId === null ? id : await join(caseId);
  const next = openedReport({ filed, rules, text: digest, caseId, primary, atMs: context.now() });
  try {
    await generations.create(reportSeries(of), 1, reportSchema.parse(next));
    return next;
  } catch (error) {
    // An attempt that was thought to be dead was not.
    const other = await latestReport(generations, of);
    if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN') || other === undefined) throw error;
    return other;
  }
}

/** Reports of the same thing, kind and severity are one case. */
function caseOf(filed: FiledReport, rules: ReportRules): string | null {
  const { about, kind } = filed;
  return about.of === 'pattern' ? null : digestJson({ about, kind, severity: severityOf(filed, rules) }).slice('sha256:'.length, 'sha256:'.length + 24);
}
