import type { Client } from '@temporalio/client';
import { signVote } from '../activities/release/record-vote.ts';
import { releaseMessages, releaseWorkflowId } from '../models/contracts/messages.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import type { Vote, VoteResult } from '../models/contracts/release.ts';
import { releaseStatus } from './temporal.ts';

type Ballot = {
  surface: string;
  decision: 'approve' | 'reject';
  by: string;
  why: string;
  evidence: string | undefined;
  key: string | undefined;
  acceptsLoosened?: boolean;
};

/** Casts a vote as a Temporal Update; signed where a key is given. The same vote sent twice counts once. */
export async function castVote(client: Client, ballot: Ballot): Promise<VoteResult & { evidence: string; releaseId: string }> {
  const status = await releaseStatus(client, ballot.surface);
  if (status === undefined) throw new UnderstudyError('UND-NO-REQUEST', `No release runs for ${ballot.surface}`);
  const evidence = ballot.evidence ?? status.evidence;
  if (evidence === null || status.releaseId === null)
    throw new UnderstudyError('UND-NO-REQUEST', `Nothing of ${ballot.surface} waits for a decision: ${status.phase}, ${status.why}`);
  const { releaseId } = status;
  const { decision, by, why } = ballot;
  const accepts = ballot.acceptsLoosened === true ? { acceptsLoosened: true } : {};
  const proof: Vote['proof'] =
    ballot.key === undefined
      ? { kind: 'unauthenticated' }
      : { kind: 'hmac-sha256', signature: signVote(ballot.key, { releaseId, decision, by, evidence, ...accepts }) };
  const vote: Vote = { decision, by, evidence, why, ...accepts, proof };
  const result = await client.workflow.getHandle(releaseWorkflowId(ballot.surface)).executeUpdate<VoteResult, [Vote]>(releaseMessages.decide, { args: [vote] });
  return { ...result, evidence, releaseId };
}
