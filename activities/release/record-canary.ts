import { compareLifts } from '../../experiments/counterfactual/agreement.ts';
import { canaryPlot } from '../../experiments/pictures/canary-plot.ts';
import { pictureOfReport } from '../../experiments/pictures/picture-of-report.ts';
import type { Agreement } from '../../models/contracts/agreement.ts';
import { type CanaryPoint, canaryRecord } from '../../models/contracts/canary-record.ts';
import { report as reportSchema } from '../../models/contracts/report.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { appendLedger } from '../../stores/ledger.ts';
import type { CloseRequest } from '../api.ts';
import type { Context } from '../context.ts';
import { canaryDecided } from '../registry/agreements.ts';
import { findRunRecord } from '../registry/runs.ts';

type Input = { request: CloseRequest & { canary: NonNullable<CloseRequest['canary']> }; points: CanaryPoint[] };

/**
 * What a challenger's canary came to, beside what the log had foretold of it: into the ledger, which is what later verdicts quote, and with its picture and the
 * evidence that was decided on into the run's folder in the registry. Done twice it finds its own work.
 */
export async function recordCanary(context: Context, { request, points }: Input): Promise<void> {
  const { blobs, generations } = context.state;
  const { surface, releaseId, canary } = request;
  const { decision, evidence } = canary;
  const report = await getDocument(blobs, evidence, reportSchema);
  const lifts = compareLifts({ counterfactual: report.counterfactual, decision });
  const agreement: Agreement | null = lifts === null ? null : { kind: 'agreement', surface, releaseId, atMs: canary.endedAtMs, evidence, ...lifts };
  const record = canaryRecord.parse({ kind: 'canary-record', surface, releaseId, decision, points, agreement });
  const { arm = 1 } = canary;
  await appendLedger(generations, {
    operationId: `${releaseId}/${canaryDecided}${arm > 1 ? `/${arm}` : ''}`,
    atMs: context.now(),
    surface,
    action: canaryDecided,
    by: request.runId,
    releaseId,
    detail: { outcome: request.outcome, verdict: decision.verdict, record: await putDocument(blobs, record) },
  });
  const run = await findRunRecord(context, request.runId);
  const runId = run?.mlflowRunId ?? null;
  if (runId === null) return;
  const upload = (path: string, content: string | Uint8Array) =>
    context.mlflow.uploadArtifact({ runId, path: `release/${path}`, bytes: typeof content === 'string' ? Buffer.from(content) : content });
  await upload('report.json', await blobs.get(evidence));
  await upload('report.svg', pictureOfReport(report));
  await upload('canary.json', JSON.stringify(record));
  if (points.length > 0) {
    const title = `${surface}: ${request.candidate}, canary of ${releaseId}`;
    await upload('canary.svg', canaryPlot({ title, points, outcome: `${request.outcome}: ${request.why}` }));
  }
}
