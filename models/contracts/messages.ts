/** Names of workflows, queues, signals, updates and queries: values without dependencies, the one module that workflows import by value. */
export const taskQueues = {
  control: 'understudy',
  training: 'understudy-training',
  trainingGpu: 'understudy-training-gpu',
  /** Where a worker with a GPU says that it is there, busy or not. */
  gpu: 'understudy-gpu',
} as const;

export const workflowNames = {
  ingest: 'ingest',
  retrain: 'retrain',
  requestRetrain: 'requestRetrain',
  release: 'release',
  rerun: 'rerun',
  tune: 'tune',
  erasure: 'erasure',
  retention: 'retention',
  audit: 'audit',
  auditFollowUp: 'auditFollowUp',
  watch: 'watch',
  tellAlert: 'tellAlert',
  rootCause: 'rootCause',
  escalation: 'escalation',
} as const;

export const releaseMessages = {
  submitCandidate: 'submitCandidate',
  /** An update, and a signal of the same name for Temporal's own UI and CLI. */
  decide: 'decide',
  overridden: 'overridden',
  status: 'status',
} as const;

/** `decide` is an update, and a signal of the same name, as that of a release. */
export const rootCauseMessages = { decide: 'decide', status: 'status' } as const;
/** An update: what somebody does about a report. */
export const reportStepUpdate = 'step';

export const statusQuery = 'status';

/** One release workflow a surface: that is what makes two publishers impossible. */
export const releaseWorkflowId = (surface: string) => `release/${surface}`;
export const retrainWorkflowId = (surface: string, window: string, recipe: string) => `retrain/${surface}/${window.slice(7, 19)}/${recipe.slice(7, 19)}`;
/** Of the same work as a run's, which it is not. */
export const tuneWorkflowId = ({ surface, window, recipe }: { surface: string; window: string; recipe: string }) =>
  retrainWorkflowId(surface, window, recipe).replace(/^retrain/, 'tune');
/** Each evaluation of a run after the first has a workflow of its own. */
export const evaluationWorkflowId = (run: string, attempt = 1) => (attempt > 1 ? `${run}/${attempt}` : run);
export const ingestWorkflowId = (surface: string, source: string) => `ingest/${surface}/${source.slice(7, 23)}`;
/** Each call may find events that the one before did not, so each is work of its own. */
export const ingestLogWorkflowId = (surface: string, nowMs: number) => `ingest/${surface}/log-${nowMs}`;
/** One at a time a surface. */
export const retentionWorkflowId = (surface: string) => `retention/${surface}`;
/** One at a time a surface; and its daily look at findings. */
export const auditWorkflowId = (surface: string) => `audit/${surface}`;
export const auditFollowUpWorkflowId = (surface: string) => `audit-follow-up/${surface}`;
/** One at a time a surface. */
export const watchWorkflowId = (surface: string) => `watch/${surface}`;
/** Each receiver is told of each moment of an alert once. */
export const tellWorkflowId = ({ surface, alert, moment, receiver }: { surface: string; alert: string; moment: string; receiver: string }) =>
  `tell/${surface}/${alert}/${moment}/${receiver}`;
/** One a report. */
export const escalationWorkflowId = (surface: string, id: string) => `escalation/${surface}/${id}`;
export const erasureWorkflowId = (id: string) => `erasure/${id}`;
/** `which` names the alert that asks, or the time; the same alert is looked into once at a time. */
export const rootCauseWorkflowId = (surface: string, which: string | number) => `root-cause/${surface}/${which}`;
/** What one look is known by in the ledger and to those who decide: the workflow's id and the end of its run's (they all begin alike). */
export const rootCauseIdOf = ({ workflowId, runId }: { workflowId: string; runId: string }) => `${workflowId}/${runId.slice(-8)}`;
export const rootCauseWorkflowOf = (id: string) => id.slice(0, id.lastIndexOf('/'));
/** `work` names quarantine, reason and mend. */
export const replayWorkflowId = (surface: string, work: string) => `ingest/${surface}/replay-${work.slice(7, 23)}`;
export const rerunWorkflowId = (runId: string) => `rerun/${runId.replaceAll('/', '.')}`;
/** A candidate that comes back with other evidence is another release. */
export const releaseIdOf = ({ candidate, report, attempt = 1 }: { candidate: string; report: string; attempt?: number | undefined }) =>
  `${candidate}-${report.slice(7, 15)}${attempt > 1 ? `-${attempt}` : ''}`;
