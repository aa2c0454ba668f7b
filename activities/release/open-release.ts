import { releaseIdOf } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { ApprovalPolicy, CandidateSubmission } from '../../models/contracts/release.ts';
import { type Report, report as reportSchema } from '../../models/contracts/report.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { appendLedger } from '../../stores/ledger.ts';
import type { OpenedRelease } from '../api.ts';
import { type Context, readCharter } from '../context.ts';
import { findRunRecord, preparedFrom, trainedFrom } from '../registry/runs.ts';

/** Reads the evidence, freezes the approval policy and says what this release needs. */
export async function openRelease(
  context: Context,
  { submission, continuing, beside = false }: { submission: CandidateSubmission; continuing: string | null; beside?: boolean },
): Promise<OpenedRelease> {
  const { blobs, generations } = context.state;
  const evidence = await getDocument(blobs, submission.report, reportSchema);
  const spec = await latestDeployment(generations, submission.surface);
  const charter = await readCharter(blobs, evidence.charter);
  const releaseId = continuing ?? releaseIdOf(submission);
  const opened = await decide();
  await appendLedger(generations, {
    operationId: `${releaseId}/${continuing === null ? 'open' : 'reopen'}/${opened.kind}${beside ? `/${submission.candidate}` : ''}`,
    atMs: context.now(),
    surface: submission.surface,
    action: `release-${opened.kind}`,
    by: submission.runId,
    releaseId,
    detail: {
      candidate: submission.candidate,
      artifact: submission.artifact,
      evidence: submission.report,
      passed: evidence.passed,
      verdict: evidence.verdict,
      why: opened.kind === 'opened' ? evidence.reasons.join('; ') : opened.why,
    },
  });
  return opened;

  async function decide(): Promise<OpenedRelease> {
    const run = await findRunRecord(context, submission.runId);
    if (run === undefined) throw new UnderstudyError('UND-NOT-FOUND', `There is no run ${submission.runId}`);
    if (spec?.champion === submission.artifact) return { kind: 'refused', releaseId, why: 'it is the champion already' };
    if ((spec?.champion ?? null) !== evidence.champion) {
      return { kind: 'stale', releaseId, why: 'the champion changed since the evidence was made', retrain: preparedFrom(run), trained: trainedFrom(run) };
    }
    if (spec === undefined && submission.candidate !== charter.bootstrap)
      return { kind: 'refused', releaseId, why: `nothing is live yet: by the bootstrap rule ${charter.bootstrap} comes first` };
    if (!evidence.passed) return { kind: 'refused', releaseId, why: evidence.reasons.join('; ') };
    const window = await getDocument(blobs, evidence.window, windowManifest);
    return {
      kind: 'opened',
      releaseId,
      intent: evidence.intent,
      evidence: submission.report,
      policy: policyOf(charter.release, evidence),
      // The bootstrap rule: with nothing live there is nobody to protect and nothing to compare with.
      approvalNeeded: spec !== undefined,
      canaryNeeded: spec !== undefined,
      generation: spec?.generation ?? 0,
      charter: evidence.charter,
      catalog: window.catalog,
      lookEveryMs: charter.release.canary.lookEveryMs,
      reasons: evidence.reasons,
      rehearsal:
        spec === undefined || charter.release.rehearsal.slates === 0
          ? null
          : { ...charter.release.rehearsal, attributionMs: charter.reward.attributionMs, retrain: preparedFrom(run), trained: trainedFrom(run) },
    };
  }
}

function policyOf(
  release: { approvers: ApprovalPolicy['approvers']; fourEyes: boolean } & Omit<ApprovalPolicy, 'approvers' | 'votesNeeded'>,
  evidence: Report,
): ApprovalPolicy {
  const loosened = evidence.charterDiff.filter((one) => one.loosens).map((one) => one.path);
  return {
    approvers: release.approvers,
    // A loosened gate needs an approval of its own: each vote must name it, and a second person votes where there is one.
    votesNeeded: Math.min(release.approvers.length, (release.fourEyes ? 2 : 1) + (loosened.length > 0 ? 1 : 0)),
    loosened,
    remindAfterMs: release.remindAfterMs,
    escalateAfterMs: release.escalateAfterMs,
    expireAfterMs: release.expireAfterMs,
  };
}
