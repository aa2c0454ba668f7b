import { z } from 'zod';
import { digestString, epochMs, externalId, machineName, surfaceName } from './ids.ts';
import { trainingStart } from './recipe.ts';
import { releaseIntent } from './report.ts';
import { publicKeyText, signature } from './signature.ts';

/** What one retraining made: series `run/<surface>/<window>-<recipe>`. Evaluated again by another charter or against another champion, it gets another number. */
export const runRecord = z.strictObject({
  kind: z.literal('run'),
  runId: externalId,
  surface: surfaceName,
  candidate: machineName,
  algorithm: machineName,
  intent: releaseIntent,
  window: digestString,
  recipe: digestString,
  charter: digestString,
  seed: z.number().int(),
  artifact: digestString,
  /** Digest of the metrics alone: what a rerun compares. */
  metrics: digestString,
  report: digestString,
  passed: z.boolean(),
  reasons: z.array(z.string()),
  trainSeconds: z.number(),
  /** Where training began, of recipes with a warm start. */
  start: trainingStart.optional(),
  bytes: z.number().int(),
  parity: z.strictObject({ requests: z.number().int(), error: z.number(), passed: z.boolean() }),
  /** The sealed parts of the log that the counterfactual evidence was made from. */
  log: z.strictObject({ segments: digestString.nullable(), slates: z.number().int() }),
  mlflowRunId: z.string().nullable(),
  modelVersion: z.string().nullable(),
  /** Digests of how training and evaluation were done; absent in runs from before that was recorded. */
  made: z.strictObject({ training: digestString.nullable(), evaluation: digestString.nullable() }).optional(),
  createdAtMs: epochMs,
});
export type RunRecord = z.infer<typeof runRecord>;

/** What retraining hands to the release workflow. */
export const candidateSubmission = z.strictObject({
  surface: surfaceName,
  runId: externalId,
  candidate: machineName,
  artifact: digestString,
  report: digestString,
  /** Number of the run's evaluation; absent for the first. Each is a release of its own. */
  attempt: z.number().int().min(2).optional(),
  /** Workflow ids of all candidates of the same request for retraining, this one's among them: they are judged together. Absent where it is alone. */
  party: z.array(z.string()).optional(),
});
export type CandidateSubmission = z.infer<typeof candidateSubmission>;

/**
 * How a vote shows who cast it. A key itself never travels: it would stand in the workflow's history. `hmac-sha256` is the
 * HMAC of `voteText` under the approver's key, in hex.
 */
export const voteProof = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('unauthenticated') }),
  z.strictObject({ kind: z.literal('hmac-sha256'), signature: z.string().regex(/^[0-9a-f]{64}$/) }),
]);

export const vote = z.strictObject({
  decision: z.enum(['approve', 'reject']),
  by: z.string().min(1).max(128),
  /** Digest of the report that was looked at. */
  evidence: digestString,
  why: z.string().max(2000).default(''),
  /** The voter has seen that the charter loosens a gate, and means it: without this an approval of such a release is refused. */
  acceptsLoosened: z.boolean().optional(),
  proof: voteProof,
});
export type Vote = z.infer<typeof vote>;

/** The bytes that a vote's signature covers. */
export function voteText(input: BallotText): string {
  const text = `understudy-vote/1\n${input.releaseId}\n${input.decision}\n${input.by}\n${input.evidence}`;
  return input.acceptsLoosened === true ? `${text}\naccepts-loosened` : text;
}
export type BallotText = { releaseId: string; decision: string; by: string; evidence: string; acceptsLoosened?: boolean | undefined };

export type VoteResult = {
  accepted: boolean;
  outcome: 'waiting' | 'approved' | 'rejected';
  code: string | null;
  message: string;
  by: string;
  decision: 'approve' | 'reject';
};

/** Told to the release workflow after an override has written its generation. A null release means whichever runs. */
export type OverrideNotice = { releaseId: string | null; generation: number; action: 'abort' | 'rollback' | 'pause' | 'resume'; why: string };

/** Frozen when the request opens, so that a charter changed later changes nothing for it. */
export type ApprovalPolicy = {
  approvers: { name: string; role: string }[];
  votesNeeded: number;
  /** Fields of the charter that make the way to production easier than at the last release; absent in requests from before. */
  loosened?: string[];
  remindAfterMs: number;
  escalateAfterMs: number;
  expireAfterMs: number;
};

/** `gathering`: nothing is under way, and the candidates of one request for retraining are waited for. */
export const releasePhases = ['idle', 'gathering', 'opening', 'rehearsal', 'approval', 'shadow', 'canary', 'promoting', 'closing'] as const;
export type ReleasePhase = (typeof releasePhases)[number];
/** `failed`: a step of it could not be done, for a reason that trying again does not mend. */
export const releaseOutcomes = ['promoted', 'refused', 'rejected', 'expired', 'superseded', 'aborted', 'rolled-back', 'failed'] as const;
export type ReleaseOutcome = (typeof releaseOutcomes)[number];

/** Answer of the release workflow's `status` query: where it stands and why. */
export type ReleaseStatus = {
  surface: string;
  phase: ReleasePhase;
  why: string;
  releaseId: string | null;
  candidate: string | null;
  artifact: string | null;
  evidence: string | null;
  intent: string | null;
  policy: ApprovalPolicy | null;
  votes: VoteResult[];
  generation: number;
  stage: number | null;
  share: number | null;
  segmentShares?: Record<string, number>;
  /** Where several share the release, all of them: `share` is the one in force, null before the canary, 0 of those that are out. */
  challengers?: { candidate: string; artifact: string; intent: string; share: number | null; why: string }[];
  look: number;
  lastDecision: { action: string; verdict: string; reasons: string[] } | null;
  waiting: string | null;
  last: { releaseId: string; candidate: string; outcome: ReleaseOutcome; why: string } | null;
  closed: number;
};

/** One line of the ledger. */
export const ledgerEntry = z.strictObject({
  kind: z.literal('ledger'),
  sequence: z.number().int().min(1),
  /** Digest of the entry before; null for the first. */
  previous: digestString.nullable(),
  operationId: z.string().min(1).max(300),
  atMs: epochMs,
  surface: surfaceName,
  action: machineName,
  by: z.string(),
  releaseId: z.string().nullable(),
  detail: z.record(z.string(), z.json()),
  /**
   * Over the entry without this field. Absent in a ledger that is not signed, or not yet: from an entry on that introduces a key, all are. `also`: by the key
   * that takes over.
   */
  signed: z.strictObject({ ...signature.shape, also: signature.optional() }).optional(),
});
export type LedgerEntry = z.infer<typeof ledgerEntry>;

/** The action of an entry that introduces the key by which it and those behind it are signed. */
export const keyIntroduced = 'ledger-key';
/** `replaces`: the key before; null for the first. It has signed the entry too, unless it was lost. */
export const keyDetail = z.strictObject({ message: z.string(), key: digestString, publicKey: publicKeyText, replaces: digestString.nullable() });
