import type { AuditActivities, AuditTraining } from '../models/contracts/audit.ts';
import type { EscalationActivities } from '../models/contracts/escalation.ts';
import type { AmongDecision, CanaryDecision } from '../models/contracts/canary.ts';
import type { ApprovalPolicy, CandidateSubmission, ReleaseOutcome, Vote, VoteResult } from '../models/contracts/release.ts';
import type { TrainingStart } from '../models/contracts/recipe.ts';
import type { TrainOrder } from '../models/contracts/train-job.ts';
import type { ReleaseIntent } from '../models/contracts/report.ts';
import type { WatchActivities } from '../models/contracts/alert.ts';
import type { GpuRule, PlacingActivities } from '../models/contracts/gpu-job.ts';
import type { PublishResult } from '../stores/deployments.ts';

/* What workflows may ask for: ids and digests in, recorded results out. Workflows import these types and nothing else of this folder. */

export type IngestRequest = {
  surface: string;
  charter: string;
  mapping: string;
  source: { path: string; name: string; digest: string };
  endsAt: string | null;
};
/** What the serving tier logged, instead of a file. Without a charter the current one holds. */
export type LogIngestRequest = { surface: string; charter: string | null; log: true };
/** Rows out of quarantine, instead of a file: those of one reason, or all; `mend` names how they are mended. `by` and `why` are for the ledger. */
export type ReplayRequest = { surface: string; charter: string; by: string; why: string; replay: { quarantine: string; reason: string | null; mend: string } };
export type IngestResult = {
  manifest: string;
  generation: number;
  counts: { input: number; accepted: number; quarantined: number; duplicates: number; withheld?: number | undefined; expired?: number | undefined };
  days: number;
  /** The charter asks for a retraining on new data, and this ingest made them what they are. Each generation asks once, however often this is said. */
  retrain: boolean;
};

/** `guest`: a model folder that is not in the charter. No candidates and no guest: all of the charter's candidates. */
export type PrepareRequest = {
  surface: string;
  candidates: string[] | null;
  guest: { name: string; folder: string } | null;
  charter: string | null /** Runs that are there already are evaluated and submitted again. */;
  resubmit?: boolean;
};
/**
 * `attempt`: 2 and on where the run is there and is evaluated and submitted again. `party`: workflow ids of all that one request prepared, where they are
 * several.
 */
export type PreparedRetrain = {
  surface: string;
  candidate: string;
  window: string;
  recipe: string;
  charter: string;
  attempt?: number;
  party?: string[];
  /** Parameters are to be chosen; absent where the recipe says all of them, and in work that was prepared before trials were activities. */
  tuned?: boolean;
  /** A worker of somebody else's trains it, which may wait there so long; absent where it is trained here. */
  trainer?: { taskQueue: string; waitMs: number };
  gpu?: GpuRule;
};
/** `tuning`: digest of the choice; absent where there is none, or training chooses by itself. `answer`: what a worker of somebody else's said that trained it. */
export type TrainRequest = PreparedRetrain & { tuning?: string; answer?: unknown /** Absent: the CPU. */; device?: 'gpu' };

/** One trial of a tuning: its place among the trials, and the rung's. */
export type TrialRequest = { retrain: PreparedRetrain; rung: number; trial: number };
/** `log`: digest of all measurements before; `results`: those of the trials that were due since, a digest each. */
export type TrialsRequest = { retrain: PreparedRetrain; log: string | null; results: string[] };
export type TrialsStep =
  | { kind: 'trials'; log: string; rungs: { share: number; trials: number }[]; rung: number; due: number[] }
  | { kind: 'chosen'; log: string; tuning: string };
/** Digests of the choice, and of the measurements with the seconds that they took. */
export type TunedParams = { tuning: string; log: string };
/** `done`: of the trials that began on this rung. */
export type TuningProgress = { rungs: { share: number; trials: number }[]; rung: number; done: number };

export type Trained = {
  artifact: string;
  parityRequests: number;
  parityError: number;
  parityPassed: boolean;
  trainSeconds: number;
  bytes: number;
  resumedFrom: number;
  /** Where training began, of recipes with a warm start. */
  start?: TrainingStart;
  /** Digest of how it was made (`activities/rerun/making.ts`); absent in results of before. */
  made?: string;
};
export type SealedLog = { segments: string | null; slates: number };
/** `sinceGeneration`: slates of earlier generations of the deployment do not count as evidence. */
export type EvaluateRequest = { retrain: PreparedRetrain; trained: Trained; log: SealedLog; sinceGeneration: number; asOf?: EvaluatedAsOf };
/** Against what a run was evaluated: what was deployed then (its generation; null: nothing), and what canaries had ended by then. */
export type EvaluatedAsOf = { deployment: number | null; atMs: number };
export type Evaluated = { report: string; metrics: string; passed: boolean; reasons: string[]; intent: ReleaseIntent; champion: string | null; made?: string };
/** `trials`: digest of the measurements by which parameters were chosen. */
export type Finished = { retrain: PreparedRetrain; trained: Trained; log: SealedLog; evaluated: Evaluated; trials?: string };
export type Registered = { mlflowRunId: string; modelVersion: string };
export type RetrainResult = {
  runId: string;
  candidate: string;
  artifact: string;
  report: string;
  passed: boolean;
  reasons: string[];
  /** Number of the run's record; 1 or absent for the first evaluation. */
  attempt?: number;
};

/** What explains that a rerun differs. `hardware`: the machine, and the settings of the process on it. */
export type RerunCause = 'data' | 'code' | 'parameter' | 'library' | 'hardware' | 'unexplained';
/** `not-recorded`: the run does not say; `not-compared`: there is nothing to compare, for the reason in `detail`. */
export type RerunStage = { stage: string; status: 'equal' | 'differs' | 'not-recorded' | 'not-compared'; detail: string };
/** `also`: what else is not as it was. `largest`: of the numbers of that stage, the two that are farthest apart; `what` says how many differ. */
export type RerunDifference = {
  stage: string;
  cause: RerunCause;
  why: string;
  remedy: string;
  also: string[];
  largest: { what: string; path: string; first: number; again: number; difference: number } | null;
};
/** `again` is null where nothing could be trained. */
export type RerunResult = {
  runId: string;
  equal: boolean;
  artifact: { first: string; again: string | null };
  metrics: { first: string; again: string | null };
  firstDifference: string | null;
  /** In the order in which they follow from each other. */
  stages: RerunStage[];
  difference: RerunDifference | null;
  /** What is not as it was, equal or not; empty where all is. Null where the run does not say how it was made. */
  changed: { code: string; library: string; hardware: string } | null;
};
/** `unusable`: what the run was made of is not what it was. Without `asOf` (the champion of then is not there any more) it meets the one of now. */
export type RunInputs = { retrain: PreparedRetrain; log: SealedLog; asOf?: EvaluatedAsOf; unusable?: string };

/** What making the evidence again needs. `attributionMs`: a younger slate may yet earn something; absent in releases opened before it was counted. */
export type Rehearsal = { slates: number; maxDurationMs: number; attributionMs?: number; retrain: PreparedRetrain; trained: Trained };

export type OpenedRelease =
  | {
      kind: 'opened';
      releaseId: string;
      intent: ReleaseIntent;
      evidence: string;
      policy: ApprovalPolicy;
      approvalNeeded: boolean;
      canaryNeeded: boolean;
      generation: number;
      charter: string;
      lookEveryMs: number;
      catalog: string;
      reasons: string[];
      rehearsal: Rehearsal | null;
    }
  /** The champion changed since the evidence was made. */
  | { kind: 'stale'; releaseId: string; why: string; retrain: PreparedRetrain; trained: Trained }
  | { kind: 'refused'; releaseId: string; why: string };

/** Run ids of those that go on, best first, and why the others do not. */
export type ContenderChoice = { chosen: string[]; left: { runId: string; why: string }[] };
/** What is decided on where several share a release: one document that names each one's report. */
export type LineUp = { evidence: string; policy: ApprovalPolicy };

export type VoteRequest = {
  surface: string;
  releaseId: string;
  evidence: string | null;
  policy: ApprovalPolicy | null;
  vote: Vote;
  earlier: VoteResult[];
  sequence: number;
  atMs: number;
};
export type PublishRequest = {
  surface: string;
  releaseId: string;
  expectedGeneration: number;
  step: string;
  reason: string;
  artifact: string;
  /** The charter that this release goes by. */
  charter: string;
  /** Artifacts of the release's other challengers, where there are any, in an order that stays. */
  rivals?: string[];
  change:
    | { kind: 'register-challenger' }
    | { kind: 'shadow' }
    /** `shares`: by artifact, where there are rivals; `share` is then the whole. */
    | { kind: 'split'; stage: number; share: number; segmentShares?: Record<string, number>; shares?: Record<string, number> }
    | { kind: 'promote'; charter: string; catalog: string }
    | { kind: 'withdraw' };
};
export type Published = PublishResult | { status: 'frozen'; generation: number; untilMs: number; why: string };
export type ReplicasReport = { status: 'ready' | 'refused' | 'none'; why: string; replicas: number };
export type LookRequest = {
  surface: string;
  releaseId: string;
  charter: string;
  intent: ReleaseIntent;
  artifact: string;
  champion: string | null;
  stage: number;
  look: number;
  share: number;
  startedAtMs: number;
  atMs: number;
};
export type LookAmongRequest = Omit<LookRequest, 'intent' | 'artifact' | 'champion' | 'share'> & {
  /** All of the canary, those that are out too, in the order of the deployment spec: `armOf` tells their users by it. */
  contenders: { artifact: string; intent: 'refresh' | 'replace' }[];
  /** By artifact; all 0 before the first split, later 0 of those that are out. */
  shares: Record<string, number>;
};
export type RehearsalLook = { done: boolean; why: string; slates: number };
export type ShadowLook = { done: boolean; failed: boolean; why: string; slates: number };
export type CloseRequest = {
  surface: string;
  releaseId: string;
  candidate: string;
  artifact: string;
  runId: string;
  outcome: ReleaseOutcome;
  why: string;
  generation: number;
  /** Not the first of the release's challengers. */
  beside?: boolean;
  /** The canary as it ended, where there was one; absent also in releases that began before it was recorded. */
  canary?: {
    charter: string;
    evidence: string;
    intent: 'refresh' | 'replace';
    startedAtMs: number;
    endedAtMs: number;
    decision: CanaryDecision;
    /** The challenger's number where several share the canary, from 1 on, as `armOf` has it. */
    arm?: number;
  };
};

/** `found`: files that still hold something. */
export type CertifiedErasure = { done: boolean; found: string[]; surfaces: string[]; retrain: boolean };
/** `removed`: records by where they stood; `days` that have another version now, or none. */
export type RetentionResult = { surface: string; certificate: string; removed: Record<string, number>; days: number; blobs: number };

/** Two sets, since training and evaluation may run on machines of their own. */
export interface ControlActivities extends PlacingActivities, AuditActivities, WatchActivities, EscalationActivities {
  ingestSource(input: IngestRequest): Promise<IngestResult>;
  ingestEventLog(input: { surface: string; charter: string | null }): Promise<IngestResult>;
  replayQuarantine(input: ReplayRequest): Promise<IngestResult>;
  surveyErasure(input: { id: string }): Promise<{ over: boolean; surfaces: string[]; retrain: boolean }>;
  eraseEverywhere(input: { id: string }): Promise<void>;
  sweepErased(input: { id: string }): Promise<void>;
  certifyErasure(input: { id: string }): Promise<CertifiedErasure>;
  enforceRetention(input: { surface: string }): Promise<RetentionResult>;
  prepareRetrain(input: PrepareRequest): Promise<PreparedRetrain[]>;
  /** Is there a finished run for this work already? */
  findRun(input: PreparedRetrain): Promise<(RetrainResult & { evaluateAgain?: Trained }) | null>;
  decideTrials(input: TrialsRequest): Promise<TrialsStep>;
  recordTrials(input: { retrain: PreparedRetrain } & TunedParams): Promise<void>;
  closeTraining(input: PreparedRetrain): Promise<void>;
  sealLog(input: { surface: string }): Promise<SealedLog>;
  registerCandidate(input: Finished): Promise<Registered>;
  recordRun(input: Finished & { registered: Registered }): Promise<RetrainResult>;
  submitCandidate(input: CandidateSubmission): Promise<void>;
  /** Ends when none of these workflows runs any more: who was to come has come by then. */
  awaitParty(input: { surface: string; party: string[] }): Promise<void>;
  /** `continuing`: the release that has been opened already and comes back with newer evidence; `beside`: not the first of its challengers. */
  openRelease(input: { submission: CandidateSubmission; continuing: string | null; beside?: boolean }): Promise<OpenedRelease>;
  chooseContenders(input: { surface: string; submissions: CandidateSubmission[] }): Promise<ContenderChoice>;
  lineUp(input: { surface: string; releaseId: string; submissions: CandidateSubmission[]; policies: ApprovalPolicy[] }): Promise<LineUp>;
  recordVote(input: VoteRequest): Promise<VoteResult>;
  notify(input: { surface: string; releaseId: string; what: 'opened' | 'reminder' | 'escalation' | 'waiting'; message: string }): Promise<void>;
  publishSpec(input: PublishRequest): Promise<Published>;
  awaitReplicas(input: { surface: string; generation: number }): Promise<ReplicasReport>;
  lookAtRehearsal(input: {
    surface: string;
    generation: number;
    slates: number;
    maxDurationMs: number;
    attributionMs: number;
    startedAtMs: number;
    atMs: number;
  }): Promise<RehearsalLook>;
  lookAtShadow(input: LookRequest): Promise<ShadowLook>;
  lookAtCanary(input: LookRequest): Promise<CanaryDecision>;
  lookAmong(input: LookAmongRequest): Promise<AmongDecision>;
  /** Brings the registry in line with a deployment spec that a person wrote while no release ran, or raises the alarm. */
  reconcile(input: { surface: string; generation: number }): Promise<void>;
  closeRelease(input: CloseRequest): Promise<void>;
  readRun(input: { runId: string }): Promise<RunInputs>;
  compareRerun(input: { runId: string } & (Finished | { unusable: string })): Promise<RerunResult>;
}

export interface TrainingActivities extends AuditTraining {
  openTraining(input: PreparedRetrain): Promise<TrainOrder>;
  runTrial(input: TrialRequest): Promise<string>;
  trainCandidate(input: TrainRequest): Promise<Trained>;
  evaluateCandidate(input: EvaluateRequest): Promise<Evaluated>;
}
