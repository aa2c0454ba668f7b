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
import { closingsOf, contestantsOf, enter, shown } from './contestants.ts';
import { Inbox } from './inbox.ts';
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
  /** Of the same request as the pending one. */
  beside?: CandidateSubmission[];
  last?: ReleaseStatus['last'];
  closed?: number;
  underWay?: Carried | null;
};

const submitSignal = defineSignal<[CandidateSubmission]>(releaseMessages.submitCandidate);
const decideUpdate = defineUpdate<VoteResult, [Vote]>(releaseMessages.decide);
const decideSignal = defineSignal<[Vote]>(releaseMessages.decide);
const overriddenSignal = defineSignal<[OverrideNotice]>(releaseMessages.overridden);
const statusQuery = defineQuery<ReleaseStatus>(releaseMessages.status);

/** The only publisher of a surface: takes candidates, those of one request at a time, from evidence to champion or refusal. Runs for ever. */
export async function release(input: ReleaseInput): Promise<void> {
  const publisher = new Publisher(input);
  publisher.listen();
  for (let way = input.underWay?.way ?? null; ; way = null) {
    if (way === null) {
      await condition(() => publisher.pending !== null || publisher.overridden());
      if (publisher.overridden()) await publisher.reconcile();
      if (publisher.pending === null || !(await publisher.gathered())) continue;
    }
    const from = way ?? publisher.take();
    try {
      if (way === null) await publisher.closeDropped();
      await publisher.close(await publisher.run(from));
    } catch (error) {
      // Whoever cancels the workflow leaves no challenger behind that nobody watches.
      if (isCancellation(error)) await CancellationScope.nonCancellable(() => publisher.cancelled());
      throw error;
    }
    if (workflowInfo().continueAsNewSuggested) await publisher.continueAsNew(null);
  }
}

class Publisher implements Desk {
  status: ReleaseStatus;
  voting = new Voting();
  overrides: Overrides;
  private inbox: Inbox;
  /** What is under release: one candidate, or those of one request that are left; the first leads. */
  private current: CandidateSubmission[];
  private writer: SpecWriter;
  private charter: string;
  private way: Way | null;

  constructor({ surface, pending = null, beside = [], last = null, closed = 0, underWay = null }: ReleaseInput) {
    this.inbox = new Inbox({ waiting: pending === null ? [] : [pending, ...beside], dropped: underWay?.dropped ?? [] });
    this.way = underWay?.way ?? null;
    this.current = this.way === null ? [] : contestantsOf(this.way).map(({ submission }) => submission);
    this.status = underWay?.status ?? { ...idle(surface), last, closed };
    this.overrides = new Overrides(underWay?.override ?? null);
    this.writer = this.newWriter(underWay?.step ?? 0);
    this.charter = underWay?.way.opened.charter ?? '';
  }

  get pending(): CandidateSubmission | null {
    return this.inbox.first;
  }

  private newWriter(step: number): SpecWriter {
    return new SpecWriter({ step, now: () => this.status, overrides: () => this.overrides });
  }

  /** Anybody can send a signal from Temporal's own UI: one that is no message of ours changes nothing and stops nothing. */
  listen(): void {
    setHandler(submitSignal, (submission: CandidateSubmission | undefined) => {
      if (typeof submission?.artifact !== 'string' || typeof submission.report !== 'string') return;
      this.inbox.add(submission, this.current);
      this.status.waiting = this.pending?.candidate ?? null;
    });
    setHandler(overriddenSignal, (notice: OverrideNotice | undefined) => {
      if (typeof notice?.generation !== 'number') return;
      if (this.isIdle() || notice.releaseId === null || notice.releaseId === this.status.releaseId) this.overrides.notice = notice;
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

  /** Waits for the other candidates of the first one's request. False where meanwhile a newer request came, or a person ordered something. */
  async gathered(): Promise<boolean> {
    const first = this.pending;
    if (first?.party === undefined) return true;
    Object.assign(this.status, { phase: 'gathering', candidate: first.candidate, why: 'waits for the other candidates of the same request' });
    const gathered = await this.inbox.gathered(() => this.overridden());
    Object.assign(this.status, { phase: 'idle', candidate: null, why: 'no candidate' });
    return gathered;
  }

  take(): CandidateSubmission[] {
    this.current = this.inbox.waiting.splice(0);
    const [first] = this.current;
    if (first === undefined) throw ApplicationFailure.nonRetryable('nothing to take');
    this.voting = new Voting();
    this.overrides = new Overrides(null);
    this.writer = this.newWriter(0);
    this.status = {
      ...idle(this.status.surface),
      last: this.status.last,
      closed: this.status.closed,
      phase: 'opening',
      candidate: first.candidate,
      artifact: first.artifact,
      why: 'reading the evidence',
    };
    return this.current;
  }

  /** From where it stands to its end. What cannot be done ends the release, never the publisher. */
  async run(from: Way | CandidateSubmission[]): Promise<Ending> {
    try {
      const way = Array.isArray(from) ? await this.begin(from) : from;
      if ('outcome' in way) return way;
      for (const stage of stageNames.slice(stageNames.indexOf(way.at))) {
        if (stage !== way.at) Object.assign(way, { at: stage, startedAtMs: null });
        const ending = await stages[stage](this, way);
        if (ending !== null) return await this.withdrawn(ending);
      }
      return await this.promote(way);
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      const { cause } = error;
      const why = cause instanceof ApplicationFailure ? `${cause.type}: ${cause.message}` : error.message;
      return this.withdrawn({ outcome: 'failed', why });
    }
  }

  private async begin(submissions: CandidateSubmission[]): Promise<Way | Ending> {
    const { contestants, gone } = await enter(submissions, (one) => this.open(one));
    const [lead, ...rivals] = contestants;
    const [refused, ...others] = gone;
    this.status.releaseId = lead?.opened.releaseId ?? refused?.releaseId ?? null;
    for (const { submission, ending } of lead === undefined ? others : gone) await this.leave(submission, ending);
    if (lead === undefined) return refused?.ending ?? { outcome: 'refused', why: 'nobody came' };
    const { submission, opened } = lead;
    this.way = { submission, opened, at: 'rehearsal', startedAtMs: null, decision: null, ...(rivals.length > 0 ? { rivals } : {}) };
    const { candidate, artifact } = submission;
    Object.assign(this.status, { candidate, artifact, generation: opened.generation, challengers: shown(this.way) });
    this.charter = opened.charter;
    if (opened.canaryNeeded) {
      const ending = await this.publish(submission, { kind: 'register-challenger' }, 'the challenger gets exploration support');
      if (ending !== null) return this.withdrawn(ending);
    }
    return this.way;
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

  private async promote({ submission, opened, winner = submission }: Way): Promise<Ending> {
    this.status.phase = 'promoting';
    const why = this.status.why;
    const ending = await this.publish(
      winner,
      { kind: 'promote', charter: opened.charter, catalog: opened.catalog },
      opened.canaryNeeded ? 'the canary is done' : 'bootstrap',
    );
    // A promotion that a replica refuses is taken back.
    if (ending !== null) return this.withdrawn(ending);
    return { outcome: 'promoted', why: opened.canaryNeeded ? why : opened.reasons.join('; ') };
  }

  /** Between two looks: a history that has become long goes on as a new run of the same workflow, from here. */
  async breathe(way: Way): Promise<void> {
    if (workflowInfo().continueAsNewSuggested) await this.continueAsNew(way);
  }

  async continueAsNew(way: Way | null): Promise<void> {
    await condition(allHandlersFinished);
    const { surface, last, closed } = this.status;
    if (way === null && this.pending !== null) await this.closeDropped();
    const carried = way && { way, status: this.status, step: this.writer.step, override: this.overrides.notice, dropped: this.inbox.dropped };
    await continueAsNew<typeof release>({ surface, ...this.inbox.carried(), last, closed, underWay: carried });
  }

  /** Takes all challengers off; an abort has done so already, and then this write is fenced, which is as good. */
  private async withdrawn(ending: Ending): Promise<Ending> {
    const submission = this.way?.submission ?? this.current[0];
    if (submission === undefined || ending.outcome === 'aborted' || this.status.generation === 0) return ending;
    const fenced = await this.publish(submission, { kind: 'withdraw' }, ending.why);
    return fenced ?? ending;
  }

  publish(submission: CandidateSubmission, change: PublishRequest['change'], reason: string): Promise<Ending | null> {
    const rivals = this.way?.rivals?.map((one) => one.submission.artifact);
    return this.writer.publish(submission, { change, reason, charter: this.charter, ...(rivals === undefined ? {} : { rivals }) });
  }

  private isIdle(): boolean {
    return this.status.phase === 'idle' || this.status.phase === 'gathering';
  }

  overridden(): boolean {
    return this.isIdle() && this.overrides.notice !== null;
  }

  /** After an override while no release ran: what serves has changed, so the registry must follow. */
  async reconcile(): Promise<void> {
    const generation = this.overrides.notice?.generation ?? 0;
    this.overrides.notice = null;
    await patient.reconcile({ surface: this.status.surface, generation });
    this.status.why = `reconciled with generation ${generation}`;
  }

  /** Candidates that a newer one replaced before their turn came: the ledger says so. */
  async closeDropped(): Promise<void> {
    const newer = (this.current[0] ?? this.pending)?.candidate;
    for (const submission of this.inbox.dropped.splice(0)) {
      await this.write(submission, { outcome: 'superseded', why: `${newer} is newer` }, { releaseId: releaseIdOf(submission) });
    }
  }

  /** Writes down what the release came to: for each of its challengers, the first of them last. */
  async close(ending: Ending): Promise<void> {
    this.status.phase = 'closing';
    await condition(allHandlersFinished);
    const alike = this.current.map((submission) => ({ submission, ending, canary: {} }));
    const [lead, ...others] = this.way === null ? alike : closingsOf(this.way, ending);
    if (lead === undefined) throw ApplicationFailure.nonRetryable('nothing to close');
    for (const { submission, ending: own, canary } of others) await this.write(submission, own, { beside: true, ...canary });
    await this.write(lead.submission, lead.ending, lead.canary);
    const { candidate } = this.way?.winner ?? lead.submission;
    const last = { releaseId: this.status.releaseId ?? releaseIdOf(lead.submission), candidate, ...ending };
    this.overrides.notice = null;
    this.current = [];
    this.way = null;
    this.status = {
      ...idle(this.status.surface),
      generation: this.status.generation,
      last,
      closed: this.status.closed + 1,
      waiting: this.pending?.candidate ?? null,
    };
  }

  async leave(submission: CandidateSubmission, ending: Ending): Promise<void> {
    await this.write(submission, ending, { beside: true });
    this.current = this.current.filter((one) => one !== submission);
  }

  private write({ candidate, artifact, runId, ...of }: CandidateSubmission, ending: Ending, more: Partial<CloseRequest>): Promise<void> {
    const releaseId = this.status.releaseId ?? releaseIdOf({ candidate, ...of });
    const { generation } = this.status;
    return patient.closeRelease({ surface: of.surface, releaseId, candidate, artifact, runId, ...ending, generation, ...more });
  }

  async cancelled(): Promise<void> {
    await this.close(await this.withdrawn({ outcome: 'failed', why: 'the release workflow was cancelled' }));
  }
}
