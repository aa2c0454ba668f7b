import type { ApprovalPolicy, OverrideNotice } from '../../models/contracts/release.ts';
import type { CauseName, CauseRequest, Layer, ProposedMend } from '../../models/contracts/root-cause.ts';
import type { PrepareRequest, ReplayRequest } from '../api.ts';

/** What the root-cause workflow may ask for: ids and digests in, recorded results out. */

/** Digests of what was measured and of what was made of it, and of the latter as much as the workflow goes by. */
export type FoundCause = {
  facts: string;
  diagnosis: string;
  layer: Layer | null;
  cause: CauseName | null;
  note: string;
  mend: ProposedMend | null;
  /** Why the mend cannot be done here; null where it can. */
  objection: string | null;
  /** The charter lets it be done without anybody being asked. */
  automatic: boolean;
  policy: ApprovalPolicy;
  recoverWithinMs: number;
};

export type MendRequest = { id: string; surface: string; look: number; facts: string; diagnosis: string; mend: ProposedMend; by: string; why: string };
/** What is done already, and what is left to others: workflows to start, those that are waited for first; and an override that the publisher must hear of. */
export type MendStep = {
  did: string;
  replays: { workflowId: string; request: ReplayRequest }[];
  retrain: PrepareRequest | null;
  override: OverrideNotice | null;
};

export type RecoveryLook = { recovered: boolean; why: string; facts: string; diagnosis: string };
export type CauseEntry = {
  id: string;
  surface: string;
  action: 'opened' | 'reopened' | 'mended' | 'recovered' | 'closed';
  /** Tells entries of one action apart. */
  look: number;
  by: string;
  detail: Record<string, string | number | null>;
};

export interface RootCauseActivities {
  findCause(input: CauseRequest): Promise<FoundCause>;
  doMend(input: MendRequest): Promise<MendStep>;
  /** `before`: digest of the diagnosis that the mend was for. */
  lookForRecovery(input: { request: CauseRequest; before: string }): Promise<RecoveryLook>;
  recordCause(input: CauseEntry): Promise<void>;
}
