import { createHmac, timingSafeEqual } from 'node:crypto';
import { type BallotText, type Vote, type VoteResult, vote as voteSchema, voteText } from '../../models/contracts/release.ts';
import type { ProblemCode } from '../../models/contracts/problem.ts';
import { appendLedger } from '../../stores/ledger.ts';
import type { VoteRequest } from '../api.ts';
import type { Context } from '../context.ts';

type Refusal = { code: ProblemCode; message: string };

/** Judges one vote and records it, accepted or refused. A retry finds its own entry. */
export async function recordVote(context: Context, request: VoteRequest): Promise<VoteResult> {
  const parsed = voteSchema.safeParse(request.vote);
  const cast: Vote = parsed.success
    ? parsed.data
    : { decision: 'reject', by: 'unknown', evidence: `sha256:${'0'.repeat(64)}`, why: '', proof: { kind: 'unauthenticated' } };
  const refusal: Refusal | null = parsed.success
    ? refuseVote(context, request, cast)
    : { code: 'UND-INPUT', message: `The vote is malformed: ${parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}` };
  const result = refusal === null ? count(request, cast) : refused(cast, refusal);
  await appendLedger(context.state.generations, {
    operationId: `${request.releaseId}/vote/${request.sequence}`,
    atMs: request.atMs,
    surface: request.surface,
    action: result.accepted ? `vote-${cast.decision}` : 'vote-refused',
    by: cast.by,
    releaseId: request.releaseId,
    detail: {
      evidence: cast.evidence,
      why: cast.why,
      proof: cast.proof.kind,
      code: result.code,
      message: result.message,
      decision: cast.decision,
      acceptsLoosened: cast.acceptsLoosened ?? false,
    },
  });
  return result;
}

function refused(cast: Vote, refusal: Refusal): VoteResult {
  return { accepted: false, outcome: 'waiting', code: refusal.code, message: refusal.message, by: cast.by, decision: cast.decision };
}

function refuseVote(context: Context, request: VoteRequest, cast: Vote): Refusal | null {
  if (request.policy === null || request.evidence === null) return { code: 'UND-NO-REQUEST', message: `Nothing of ${request.surface} waits for a decision` };
  if (!request.policy.approvers.some((approver) => approver.name === cast.by)) {
    return { code: 'UND-NOT-APPROVER', message: `${cast.by} is not one of ${request.policy.approvers.map((one) => one.name).join(', ')}` };
  }
  if (cast.evidence !== request.evidence)
    return { code: 'UND-STALE-EVIDENCE', message: `The vote names ${cast.evidence.slice(0, 19)}…, under decision is ${request.evidence.slice(0, 19)}…` };
  if (request.earlier.some((one) => one.accepted && one.by === cast.by)) return { code: 'UND-ALREADY-VOTED', message: `${cast.by} has voted` };
  const key = context.approverKeys[cast.by];
  if (key !== undefined && !signed(key, request.releaseId, cast))
    return { code: 'UND-UNAUTHORIZED', message: `${cast.by} has a key, and the vote is not signed with it` };
  // Where some must sign, a name without a key would be a way around them.
  if (key === undefined && Object.keys(context.approverKeys).length > 0)
    return { code: 'UND-UNAUTHORIZED', message: `Votes are signed here, and the workers know no key of ${cast.by}` };
  const loosened = request.policy.loosened ?? [];
  if (cast.decision === 'approve' && loosened.length > 0 && cast.acceptsLoosened !== true)
    return { code: 'UND-LOOSENED', message: `The charter loosens ${loosened.join(', ')}; the vote does not say that this is meant` };
  return null;
}

function signed(key: string, releaseId: string, cast: Vote): boolean {
  if (cast.proof.kind !== 'hmac-sha256') return false;
  const expected = signVote(key, { releaseId, ...cast });
  return timingSafeEqual(Buffer.from(expected, 'hex'), Buffer.from(cast.proof.signature, 'hex'));
}

/** HMAC-SHA-256 (RFC 2104) of the vote's text, in hex. */
export function signVote(key: string, vote: BallotText): string {
  return createHmac('sha256', key).update(voteText(vote)).digest('hex');
}

function count(request: VoteRequest, cast: Vote): VoteResult {
  const name = request.policy?.approvers.find((approver) => approver.name === cast.by);
  const who = `${cast.by} (${name?.role ?? ''}${cast.proof.kind === 'unauthenticated' ? ', unauthenticated' : ''})`;
  if (cast.decision === 'reject')
    return { accepted: true, outcome: 'rejected', code: null, message: `${who} rejected: ${cast.why || 'no reason given'}`, by: cast.by, decision: 'reject' };
  const approvals = 1 + request.earlier.filter((one) => one.accepted && one.decision === 'approve').length;
  const needed = request.policy?.votesNeeded ?? 1;
  const outcome = approvals >= needed ? 'approved' : 'waiting';
  return { accepted: true, outcome, code: null, message: `${who} approved; ${approvals} of ${needed}`, by: cast.by, decision: 'approve' };
}
