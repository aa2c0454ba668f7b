import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { CloseRequest, Evaluated, OpenedRelease, PublishRequest } from '../../activities/api.ts';
import type { CandidateSubmission, OverrideNotice, ReleaseStatus, Vote, VoteResult } from '../../models/contracts/release.ts';
import { releaseIdOf, releaseMessages } from '../../models/contracts/messages.ts';
import { control, patient, training } from '../proxies.ts';
import { type Ending, Overrides } from './overrides.ts';
import { SpecWriter } from './spec-writer.ts';
import { type Desk, stageNames, stages, type Way } from './stages.ts';
import { idle } from './status.ts';
import { Voting } from './voting.ts';

/** What the next run of this workflow takes over when the history has become long. */
type Carried = { way: Way; status: ReleaseStatus; step: number; override: OverrideNotice | null; dropped: CandidateSubmission[] };

export type ReleaseInput = {
  surface: string;
  pending?: CandidateSubmission | null;
  last?: ReleaseStatus['last'];
  closed?: number;
  underWay?: Carried | null;
};

const submitSignal = defineSignal<[CandidateSubmission]>(releaseMessages.submitCandidate);
const decideUpdate = defineUpdate<VoteResult, [Vote]>(releaseMessages.decide);
const decideSignal = defineSignal<[Vote]>(releaseMessages.decide);
const overriddenSignal = defineSignal<[OverrideNotice]>(releaseMessages.overridden);
const statusQuery = defineQuery<ReleaseStatus>(releaseMessages.status);

/** The only publisher of a surface: takes candidates one at a time from evidence to champion or refusal. Runs for ever. */
export async function release(input: ReleaseInput): Promise<void> {
  const publisher = new Publisher(input);
  publisher.listen();
  for (let way = input.underWay?.way ?? null; ; way = null) {
    if (way === null) {
      await condition(() => publisher.pending !== null || publisher.overridden());
      if (publisher.overridden()) await publisher.reconcile();
      if (publisher.pending === null) continue;
    }
    const submission = way?.submission ?? publisher.take();
    try {
      if (way === null) await publisher.closeDropped(submission);
      await publisher.close(submission, await publisher.run(submission, way));
    } catch (error) {
      // Whoever cancels the workflow leaves no challenger behind that nobody watches.
      if (isCancellation(error)) await CancellationScope.nonCancellable(() => publisher.cancelled(submission));
      throw error;
    }
    if (workflowInfo().continueAsNewSuggested) await publisher.continueAsNew(null);
  }
}

/** What a canary came to, where the release had got so far. */
function canaryOf(way: Way | null): Pick<CloseRequest, 'canary'> {
  if (way === null || way.at !== 'canary' || way.startedAtMs === null || way.decision === null) return {};
  const { charter, evidence, intent } = way.opened;
  if (intent === 'bootstrap') return {};
  return { canary: { charter, evidence, intent, startedAtMs: way.startedAtMs, endedAtMs: way.lookedAtMs ?? Date.now(), decision: way.decision } };
}

/** The same candidate, judged the same time. */
function isSame(one: CandidateSubmission, other: CandidateSubmission | null): boolean {
  return one.artifact === other?.artifact && (one.attempt ?? 1) === (other.attempt ?? 1);
}

class Publisher implements Desk {
  pending: CandidateSubmission | null;
  status: ReleaseStatus;
  voting = new Voting();
  overrides: Overrides;
  private current: CandidateSubmission | null;
  private writer: SpecWriter;
  private charter: string;
  private dropped: CandidateSubmission[];
  /** Of the release that runs. */
  private way: Way | null = null;

  constructor({ surface, pending = null, last = null, closed = 0, underWay = null }: ReleaseInput) {
    this.pending = pending;
    this.current = underWay?.way.submission ?? null;
    this.status = underWay?.status ?? { ...idle(surface), last, closed };
    this.overrides = new Overrides(underWay?.override ?? null);
    this.writer = this.newWriter(underWay?.step ?? 0);
    this.charter = underWay?.way.opened.charter ?? '';
    this.dropped = underWay?.dropped ?? [];
  }

  private newWriter(step: number): SpecWriter {
    return new SpecWriter({ step, now: () => this.status, overrides: () => this.overrides });
  }

  /** Anybody can send a signal from Temporal's own UI: one that is no message of ours changes nothing and stops nothing. */
  listen(): void {
    setHandler(submitSignal, (submission: CandidateSubmission | undefined) => {
      if (typeof submission?.artifact !== 'string' || typeof submission.report !== 'string') return;
      if (isSame(submission, this.current) || isSame(submission, this.pending)) return;
      if (this.pending !== null) this.dropped.push(this.pending);
      this.pending = submission;
      this.status.waiting = submission.candidate;
    });
    setHandler(overriddenSignal, (notice: OverrideNotice | undefined) => {
      if (typeof notice?.generation !== 'number') return;
      if (this.status.phase === 'idle' || notice.releaseId === null || notice.releaseId === this.status.releaseId) this.overrides.notice = notice;
    });
    setHandler(statusQuery, () => this.status);
    setHandler(decideUpdate, async (vote) => {
      const result = await this.voting.decide(vote, () => this.status);
      if (!result.accepted) throw ApplicationFailure.nonRetryable(result.message, result.code ?? 'UND-NO-REQUEST', result);
      return result;
    });
    setHandler(decideSignal, async (vote) => {
      await this.voting.decide(vote, () => this.status);
    });
  }

  take(): CandidateSubmission {
    const submission = this.pending;
    if (submission === null) throw ApplicationFailure.nonRetryable('nothing to take');
    this.pending = null;
    this.current = submission;
    this.voting = new Voting();
    this.overrides = new Overrides(null);
    this.writer = this.newWriter(0);
    this.status = {
      ...idle(this.status.surface),
      last: this.status.last,
      closed: this.status.closed,
      phase: 'opening',
      candidate: submission.candidate,
      artifact: submission.artifact,
      why: 'reading the evidence',
    };
    return submission;
  }

  /** From where it stands to its end. What cannot be done ends the release, never the publisher. */
  async run(submission: CandidateSubmission, underWay: Way | null): Promise<Ending> {
    try {
      const way = underWay ?? (await this.begin(submission));
      if ('outcome' in way) return way;
      this.way = way;
      for (const stage of stageNames.slice(stageNames.indexOf(way.at))) {
        if (stage !== way.at) Object.assign(way, { at: stage, startedAtMs: null });
        const ending = await stages[stage](this, way);
        if (ending !== null) return await this.withdrawn(submission, ending);
      }
      return await this.promote(way);
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      const { cause } = error;
      const why = cause instanceof ApplicationFailure ? `${cause.type}: ${cause.message}` : error.message;
      return this.withdrawn(submission, { outcome: 'failed', why });
    }
  }

  private async begin(submission: CandidateSubmission): Promise<Way | Ending> {
    const opened = await this.open(submission);
    this.status.releaseId = opened.releaseId;
    if (opened.kind !== 'opened') return { outcome: 'refused', why: opened.why };
    this.status.generation = opened.generation;
    this.charter = opened.charter;
    if (opened.canaryNeeded) {
      const ending = await this.publish(submission, { kind: 'register-challenger' }, 'the challenger gets exploration support');
      if (ending !== null) return this.withdrawn(submission, ending);
    }
    return { submission, opened, at: 'rehearsal', startedAtMs: null, decision: null };
  }

  /** Evidence against a champion that is gone is made again here, once. */
  private async open(submission: CandidateSubmission): Promise<OpenedRelease> {
    const opened = await control.openRelease({ submission, continuing: null });
    if (opened.kind !== 'stale') return opened;
    this.status.why = opened.why;
    const log = await control.sealLog({ surface: submission.surface });
    const evaluated: Evaluated = await training.evaluateCandidate({ retrain: opened.retrain, trained: opened.trained, log, sinceGeneration: 0 });
    submission.report = evaluated.report;
    return control.openRelease({ submission, continuing: null });
  }

  private async promote({ submission, opened }: Way): Promise<Ending> {
    this.status.phase = 'promoting';
    const why = this.status.why;
    const ending = await this.publish(
      submission,
      { kind: 'promote', charter: opened.charter, catalog: opened.catalog },
      opened.canaryNeeded ? 'the canary is done' : 'bootstrap',
    );
    // A promotion that a replica refuses is taken back.
    if (ending !== null) return this.withdrawn(submission, ending);
    return { outcome: 'promoted', why: opened.canaryNeeded ? why : opened.reasons.join('; ') };
  }

  /** Between two looks: a history that has become long goes on as a new run of the same workflow, from here. */
  async breathe(way: Way): Promise<void> {
    if (workflowInfo().continueAsNewSuggested) await this.continueAsNew(way);
  }

  async continueAsNew(way: Way | null): Promise<void> {
    await condition(allHandlersFinished);
    const { surface, last, closed } = this.status;
    if (way === null && this.pending !== null) await this.closeDropped(this.pending);
    const { status, dropped } = this;
    const carried = way && { way, status, step: this.writer.step, override: this.overrides.notice, dropped };
    await continueAsNew<typeof release>({ surface, pending: this.pending, last, closed, underWay: carried });
  }

  /** Takes the challenger off; an abort has done so already, and then this write is fenced, which is as good. */
  private async withdrawn(submission: CandidateSubmission, ending: Ending): Promise<Ending> {
    if (ending.outcome === 'aborted' || this.status.generation === 0) return ending;
    const fenced = await this.publish(submission, { kind: 'withdraw' }, ending.why);
    return fenced ?? ending;
  }

  publish(submission: CandidateSubmission, change: PublishRequest['change'], reason: string): Promise<Ending | null> {
    return this.writer.publish(submission, { change, reason, charter: this.charter });
  }

  overridden(): boolean {
    return this.status.phase === 'idle' && this.overrides.notice !== null;
  }

  /** After an override while no release ran: what serves has changed, so the registry must follow. */
  async reconcile(): Promise<void> {
    const generation = this.overrides.notice?.generation ?? 0;
    this.overrides.notice = null;
    await patient.reconcile({ surface: this.status.surface, generation });
    this.status.why = `reconciled with generation ${generation}`;
  }

  /** Candidates that a newer one replaced before their turn came: the ledger says so. */
  async closeDropped(newer: CandidateSubmission): Promise<void> {
    const { surface } = this.status;
    for (const submission of this.dropped.splice(0)) {
      const { candidate, artifact, runId } = submission;
      const releaseId = releaseIdOf(submission);
      const why = `${newer.candidate} is newer`;
      await patient.closeRelease({ surface, releaseId, candidate, artifact, runId, outcome: 'superseded', why, generation: this.status.generation });
    }
  }

  async close(submission: CandidateSubmission, ending: Ending): Promise<void> {
    this.status.phase = 'closing';
    await condition(allHandlersFinished);
    await patient.closeRelease({
      surface: submission.surface,
      releaseId: this.status.releaseId ?? releaseIdOf(submission),
      candidate: submission.candidate,
      artifact: submission.artifact,
      runId: submission.runId,
      ...ending,
      generation: this.status.generation,
      ...canaryOf(this.way),
    });
    this.overrides.notice = null;
    this.current = null;
    this.way = null;
    const last = { releaseId: this.status.releaseId ?? releaseIdOf(submission), candidate: submission.candidate, ...ending };
    this.status = {
      ...idle(this.status.surface),
      generation: this.status.generation,
      last,
      closed: this.status.closed + 1,
      waiting: this.pending?.candidate ?? null,
    };
  }

  async cancelled(submission: CandidateSubmission): Promise<void> {
    const ending: Ending = { outcome: 'failed', why: 'the release workflow was cancelled' };
    await this.close(submission, await this.withdrawn(submission, ending));
  }
}
