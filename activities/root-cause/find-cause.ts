import { diagnose } from '../../experiments/root-cause/diagnose.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { rootCauseRules } from '../../models/contracts/charter-root-cause.ts';
import type { ApprovalPolicy } from '../../models/contracts/release.ts';
import { type CauseRequest, type Diagnosis, diagnosis as diagnosisSchema, type RootCauseFacts, rootCauseFacts } from '../../models/contracts/root-cause.ts';
import { type BlobStore, getDocument, putDocument } from '../../stores/blobs.ts';
import { type Context, readCharter } from '../context.ts';
import { currentCharter } from '../registry/charters.ts';
import type { Beat } from '../worker.ts';
import type { FoundCause, RecoveryLook } from './api.ts';
import { gatherFacts } from './gather-facts.ts';
import { judgeRecovery } from './judge-recovery.ts';
import { objectionTo } from './object-to-mend.ts';

type Looking = Pick<Context, 'state' | 'featuresUrl'>;
type Watching = Pick<Beat, 'beat' | 'signal'>;
type Looked = { facts: RootCauseFacts; diagnosis: Diagnosis };

/** Measures and diagnoses; nothing is written. */
export async function lookForCause(context: Looking, request: CauseRequest, beat: Watching): Promise<Looked> {
  const facts = rootCauseFacts.parse(await gatherFacts(context, request, beat));
  return { facts, diagnosis: diagnosisSchema.parse(diagnose(facts)) };
}

/** Both are kept: what was decided on stays to be read. The diagnosis names the facts that it was made of. */
async function store(blobs: BlobStore, { facts, diagnosis }: Looked): Promise<{ facts: string; diagnosis: string; document: Diagnosis }> {
  const digest = await putDocument(blobs, facts);
  const document = { ...diagnosis, facts: digest };
  return { facts: digest, diagnosis: await putDocument(blobs, document), document };
}

/** Looks, keeps what was found, and says who decides on the mend. */
export async function findCause(context: Context, request: CauseRequest, beat: Beat): Promise<FoundCause> {
  const { state } = context;
  const looked = await lookForCause(context, request, beat);
  const { document, ...digests } = await store(state.blobs, looked);
  const charter = await readCharter(state.blobs, await currentCharter(state, request.surface));
  const { automatic, recoverWithinMinutes } = rulesOf(charter);
  const { layer, mend, note, suspects } = document;
  return {
    ...digests,
    layer,
    cause: suspects[0]?.cause ?? null,
    note,
    mend,
    objection: mend === null ? null : await objectionTo(context, { surface: request.surface, mend, facts: looked.facts }),
    automatic: mend !== null && automatic.includes(mend.action),
    policy: policyOf(charter),
    recoverWithinMs: recoverWithinMinutes * 60_000,
  };
}

/** Looks at what was since a mend: is what it was for still there? */
export async function lookForRecovery(context: Context, { request, before }: { request: CauseRequest; before: string }, beat: Beat): Promise<RecoveryLook> {
  const { blobs } = context.state;
  const was = await getDocument(blobs, before, diagnosisSchema);
  const looked = await lookForCause(context, request, beat);
  const { document: _document, ...digests } = await store(blobs, looked);
  return { ...digests, ...judgeRecovery({ before: was, after: looked.diagnosis, facts: looked.facts }) };
}

export const rulesOf = ({ rootCause }: Pick<Charter, 'rootCause'>) => rootCause ?? rootCauseRules.parse({});

/** The people of a release decide, and as many of them. */
function policyOf({ release, ...charter }: Charter): ApprovalPolicy {
  const withinMs = rulesOf(charter).decideWithinHours * 3_600_000;
  return {
    approvers: release.approvers,
    votesNeeded: Math.min(release.approvers.length, release.fourEyes ? 2 : 1),
    remindAfterMs: Math.min(release.remindAfterMs, withinMs),
    escalateAfterMs: Math.min(release.escalateAfterMs, withinMs),
    expireAfterMs: withinMs,
  };
}
