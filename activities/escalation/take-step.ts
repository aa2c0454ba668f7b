import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Report, type ReportStanding, type ReportStep, reportStep, type StepResult, stepText } from '../../models/contracts/escalation.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { canTell, changeReport, openedOf, type ReportContext } from './change-report.ts';
import { closeCase } from './report-case.ts';
import { afterStep, missedDeadline, type Refusal, refuseStep, standingOf } from './report-steps.ts';
import { currentRules } from './rules.ts';

type Of = { surface: string; id: string };

/** Somebody does something about a report: judged, and recorded whether it is taken or refused. `operation` names it, however often it is tried. */
export async function takeReportStep(context: ReportContext, { step, operation, ...of }: Of & { step: ReportStep; operation: string }): Promise<StepResult> {
  const report = await openedOf(context, of);
  if (report.steps.some((one) => one.operation === operation)) return taken(context, await changeReport(context, of, async () => undefined), step);
  const rules = await currentRules(context.state, of.surface);
  const parsed = reportStep.safeParse(step);
  const refusal: Refusal | null = parsed.success
    ? (refuseStep(report, { step: parsed.data, rules }) ?? refuseProof(context, of, parsed.data))
    : {
        code: 'UND-INPUT',
        message: `What is to be done is malformed: ${parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}`,
      };
  if (refusal !== null || !parsed.success) return refused(context, report, { step, operation, refusal: refusal as Refusal });
  const isEnd = parsed.data.do === 'resolve' || parsed.data.do === 'reject';
  const { caseId } = report;
  // First, so that none is counted with it that comes later.
  const count = !isEnd ? null : caseId === null ? 1 : await closeCase(context.state.generations, { surface: of.surface, caseId, id: of.id });
  const atMs = context.now();
  const next = await changeReport(context, of, async (before) =>
    before.steps.some((one) => one.operation === operation) ? undefined : afterStep(before, { step: parsed.data, operation, rules, atMs, count }),
  );
  return taken(context, next, parsed.data);
}

function taken(context: ReportContext, report: Report, step: ReportStep): StepResult {
  const { id, state, owner } = report;
  const proof = step.proof.kind === 'unauthenticated' ? ', unauthenticated' : '';
  return { accepted: true, code: null, message: `${id} is ${state}, ${owner}'s (${step.by}${proof})`, standing: standingOf(report, canTell(context)) };
}

/** As votes on a release: signed where there are keys. */
function refuseProof({ approverKeys }: ReportContext, of: Of, step: ReportStep): Refusal | null {
  const { by, proof } = step;
  const key = approverKeys[by];
  if (key !== undefined && !(proof.kind === 'hmac-sha256' && isSigned(key, { ...of, ...step }, proof.signature)))
    return { code: 'UND-UNAUTHORIZED', message: `${by} has a key, and this is not signed with it` };
  // Where some must sign, a name without a key would be a way around them.
  if (key === undefined && Object.keys(approverKeys).length > 0)
    return { code: 'UND-UNAUTHORIZED', message: `What is done about reports is signed here, and the workers know no key of ${by}` };
  return null;
}

type Text = Parameters<typeof stepText>[0];
const isSigned = (key: string, step: Text, signature: string) => timingSafeEqual(Buffer.from(signStep(key, step), 'hex'), Buffer.from(signature, 'hex'));

/** HMAC-SHA-256 (RFC 2104) of the step's text, in hex. */
export const signStep = (key: string, step: Text): string => createHmac('sha256', key).update(stepText(step)).digest('hex');

async function refused(
  context: ReportContext,
  report: Report,
  { step, operation, refusal }: { step: Partial<ReportStep>; operation: string; refusal: Refusal },
): Promise<StepResult> {
  const { id, surface } = report;
  const { code, message } = refusal;
  await appendLedger(context.state.generations, {
    operationId: `report/${id}/${operation}`,
    atMs: context.now(),
    surface,
    action: 'report-step-refused',
    by: typeof step.by === 'string' ? step.by : 'unknown',
    releaseId: null,
    detail: { message: `${id}: ${message}`, report: id, code, step: String(step.do) },
  });
  return { accepted: false, code, message, standing: standingOf(report, canTell(context)) };
}

/** A deadline of this generation has passed: up the list. Asked again, or late, it answers how the report stands. */
export async function missDeadline(context: ReportContext, { generation, ...of }: Of & { generation: number }): Promise<ReportStanding> {
  const rules = await currentRules(context.state, of.surface);
  const next = await changeReport(context, of, async (before) =>
    before.generation === generation ? missedDeadline(before, { rules, atMs: Math.max(context.now(), dueOf(before)) }) : undefined,
  );
  return standingOf(next, canTell(context));
}

/** Temporal's clock rang: that this machine's is a little behind it is no matter. */
const dueOf = (report: Report): number => standingOf(report, { canTell: false }).dueAtMs ?? 0;
