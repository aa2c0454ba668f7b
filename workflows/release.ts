import {
  ApplicationFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Evaluated, OpenedRelease, PublishRequest, Published, Rehearsal } from '../activities/api.ts';
import type { CandidateSubmission, OverrideNotice, ReleaseOutcome, ReleaseStatus, Vote, VoteResult } from '../models/contracts/release.ts';
import { releaseMessages } from '../models/contracts/messages.ts';
import { control, patient, training } from './proxies.ts';
import { idle } from './release-status.ts';

export type ReleaseInput = { surface: string; pending?: CandidateSubmission | null; last?: ReleaseStatus['last']; closed?: number };
type Opened = Extract<OpenedRelease, { kind: 'opened' }>;
type Ending = { outcome: ReleaseOutcome; why: string };

const submitSignal = defineSignal<[CandidateSubmission]>(releaseMessages.submitCandidate);
const decideUpdate = defineUpdate<VoteResult, [Vote]>(releaseMessages.decide);
const decideSignal = defineSignal<[Vote]>(releaseMessages.decide);
const overriddenSignal = defineSignal<[OverrideNotice]>(releaseMessages.overridden);
const statusQuery = defineQuery<ReleaseStatus>(releaseMessages.status);

/** The only publisher of a surface: takes candidates one at a time from evidence to champion or refusal. Runs for ever. */
export async function release(input: ReleaseInput): Promise<void> {
  const publisher = new Publisher(input);
  publisher.listen();
  for (;;) {
    await condition(() => publisher.pending !== null || publisher.overridden());
    if (publisher.overridden()) await publisher.reconcile();
    if (publisher.pending === null) continue;
    const submission = publisher.take();
    await publisher.closeDropped(submission);
    const ending = await publisher.run(submission);
    await publisher.close(submission, ending);
    if (workflowInfo().continueAsNewSuggested) {
      await condition(allHandlersFinished);
      if (publisher.pending !== null) await publisher.closeDropped(publisher.pending);
      await continueAsNew<typeof release>({ surface: input.surface, pending: publisher.pending, last: publisher.status.last, closed: publisher.status.closed });
    }
  }
}

class Publisher {
  pending: CandidateSubmission | null;
  status: ReleaseStatus;
  private voting: Promise<unknown> = Promise.resolve();
  private votes = 0;
  private outcome: 'waiting' | 'approved' | 'rejected' = 'waiting';
  private override: OverrideNotice | null = null;
  private step = 0;
  private charter = '';
  private dropped: CandidateSubmission[] = [];

  constructor(input: ReleaseInput) {
    this.pending = input.pending ?? null;
    this.status = { ...idle(input.surface), last: input.last ?? null, closed: input.closed ?? 0 };
  }

  listen(): void {
    setHandler(submitSignal, (submission) => {
      if (submission.artifact === this.status.artifact || submission.artifact === this.pending?.artifact) return;
      if (this.pending !== null) this.dropped.push(this.pending);
      this.pending = submission;
      this.status.waiting = submission.candidate;
    });
    setHandler(overriddenSignal, (notice) => {
      if (this.status.phase === 'idle' || notice.releaseId === null || notice.releaseId === this.status.releaseId) this.override = notice;
    });
    setHandler(statusQuery, () => this.status);
    setHandler(decideUpdate, async (vote) => {
      const result = await this.decide(vote);
      if (!result.accepted) throw ApplicationFailure.nonRetryable(result.message, result.code ?? 'UND-NO-REQUEST', result);
      return result;
    });
    setHandler(decideSignal, async (vote) => {
      await this.decide(vote);
    });
  }

  take(): CandidateSubmission {
    const submission = this.pending;
    if (submission === null) throw ApplicationFailure.nonRetryable('nothing to take');
    this.pending = null;
    this.outcome = 'waiting';
    this.override = null;
    this.votes = 0;
    this.step = 0;
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

  async run(submission: CandidateSubmission): Promise<Ending> {
    let opened = await this.open(submission);
    this.status.releaseId = opened.releaseId;
    if (opened.kind !== 'opened') return { outcome: 'refused', why: opened.why };
    this.status.generation = opened.generation;
    this.charter = opened.charter;
    if (opened.canaryNeeded) {
      const ending = await this.publish(submission, { kind: 'register-challenger' }, 'the challenger gets exploration support');
      if (ending !== null) return await this.withdrawn(submission, ending);
    }
    if (opened.rehearsal !== null) {
      const rehearsed = await this.rehearse(submission, opened.rehearsal);
      if ('outcome' in rehearsed) return await this.withdrawn(submission, rehearsed);
      opened = rehearsed;
    }
    Object.assign(this.status, { evidence: opened.evidence, intent: opened.intent, policy: opened.policy });
    if (opened.approvalNeeded) {
      const refused = await this.approval(opened);
      if (refused !== null) return await this.withdrawn(submission, refused);
    }
    if (opened.canaryNeeded) {
      const refused = (await this.shadow(submission, opened)) ?? (await this.canary(submission, opened));
      if (refused !== null) return await this.withdrawn(submission, refused);
    }
    return this.promote(submission, opened);
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

  /** With the challenger's items in the exploration pool, the log comes to carry evidence about them; then the evidence is made again. */
  private async rehearse(submission: CandidateSubmission, rehearsal: Rehearsal): Promise<Opened | Ending> {
    this.status.phase = 'rehearsal';
    const startedAtMs = Date.now();
    const { generation } = this.status;
    for (;;) {
      const look = await control.lookAtRehearsal({
        surface: submission.surface,
        generation,
        slates: rehearsal.slates,
        maxDurationMs: rehearsal.maxDurationMs,
        startedAtMs,
        atMs: Date.now(),
      });
      this.status.why = look.why;
      if (look.done) break;
      if (await condition(() => this.aborted() || this.pending !== null, '1 s')) {
        if (this.aborted()) return this.abortedEnding();
        return { outcome: 'superseded', why: `${this.pending?.candidate} is newer` };
      }
    }
    this.status.why = "making the evidence again on the rehearsal's log";
    const log = await control.sealLog({ surface: submission.surface });
    const evaluated = await training.evaluateCandidate({ retrain: rehearsal.retrain, trained: rehearsal.trained, log, sinceGeneration: generation });
    submission.report = evaluated.report;
    const reopened = await control.openRelease({ submission, continuing: this.status.releaseId });
    return reopened.kind === 'opened' ? reopened : { outcome: 'refused', why: reopened.why };
  }

  private async approval(opened: Opened): Promise<Ending | null> {
    this.status.phase = 'approval';
    this.status.why = `waits for ${opened.policy.votesNeeded} of ${opened.policy.approvers.map((one) => one.name).join(', ')}`;
    await this.tell(opened, 'opened', this.status.why);
    const { remindAfterMs, escalateAfterMs, expireAfterMs } = opened.policy;
    const settled = () => this.outcome !== 'waiting' || this.pending !== null || this.aborted();
    const steps = [
      { afterMs: remindAfterMs, what: 'reminder' as const },
      { afterMs: escalateAfterMs, what: 'escalation' as const },
    ]
      .filter((one) => one.afterMs < expireAfterMs)
      .sort((a, b) => a.afterMs - b.afterMs);
    let waitedMs = 0;
    for (const step of steps) {
      if (await condition(settled, Math.max(1, step.afterMs - waitedMs))) break;
      waitedMs = step.afterMs;
      await this.tell(opened, step.what, `${opened.releaseId} still ${this.status.why}`);
    }
    if (!settled()) await condition(settled, Math.max(1, expireAfterMs - waitedMs));
    await condition(allHandlersFinished);
    if (this.aborted()) return this.abortedEnding();
    if (this.outcome === 'approved') return null;
    if (this.outcome === 'rejected') return { outcome: 'rejected', why: this.status.votes.filter((one) => one.accepted).at(-1)?.message ?? '' };
    if (this.pending !== null) return { outcome: 'superseded', why: `${this.pending.candidate} is newer` };
    return { outcome: 'expired', why: `nobody decided within ${expireAfterMs} ms` };
  }

  private async shadow(submission: CandidateSubmission, opened: Opened): Promise<Ending | null> {
    this.status.phase = 'shadow';
    this.status.stage = -1;
    const startedAtMs = Date.now();
    const ending = await this.publish(submission, { kind: 'shadow' }, 'the challenger answers unseen');
    if (ending !== null) return ending;
    for (;;) {
      const look = await control.lookAtShadow({ ...this.lookRequest(submission, opened, startedAtMs), stage: -1, share: 0 });
      this.status.why = look.why;
      if (look.failed) return { outcome: 'rolled-back', why: look.why };
      if (look.done) return null;
      if (await condition(() => this.aborted(), opened.lookEveryMs)) return this.abortedEnding();
    }
  }

  private async canary(submission: CandidateSubmission, opened: Opened): Promise<Ending | null> {
    this.status.phase = 'canary';
    const startedAtMs = Date.now();
    let stage = 0;
    // The first rung opens at the share that the first look gives: look 0 sees no data and answers the floor of the rung.
    let decision = await control.lookAtCanary({ ...this.lookRequest(submission, opened, startedAtMs), stage, share: 0 });
    for (;;) {
      const moves = decision.action === 'advance' || decision.share !== this.status.share;
      stage = decision.action === 'advance' ? decision.stage + 1 : decision.stage;
      if (moves) {
        const ending = await this.publish(submission, { kind: 'split', stage, share: decision.share }, decision.reasons.join('; '));
        if (ending !== null) return ending;
        Object.assign(this.status, { stage, share: decision.share });
      }
      if (await condition(() => this.aborted(), opened.lookEveryMs)) return this.abortedEnding();
      this.status.look += 1;
      decision = await control.lookAtCanary({ ...this.lookRequest(submission, opened, startedAtMs), stage, share: decision.share });
      this.status.lastDecision = { action: decision.action, verdict: decision.verdict, reasons: decision.reasons };
      this.status.why = decision.reasons.join('; ');
      if (decision.action === 'promote') return null;
      if (decision.action === 'roll-back') return { outcome: 'rolled-back', why: this.status.why };
    }
  }

  private async promote(submission: CandidateSubmission, opened: Opened): Promise<Ending> {
    this.status.phase = 'promoting';
    const why = this.status.why;
    const ending = await this.publish(
      submission,
      { kind: 'promote', charter: opened.charter, catalog: opened.catalog },
      opened.canaryNeeded ? 'the canary is done' : 'bootstrap',
    );
    return ending ?? { outcome: 'promoted', why: opened.canaryNeeded ? why : opened.reasons.join('; ') };
  }

  /** Takes the challenger off; an abort has done so already, and then this write is fenced, which is as good. */
  private async withdrawn(submission: CandidateSubmission, ending: Ending): Promise<Ending> {
    if (ending.outcome === 'aborted') return ending;
    const fenced = await this.publish(submission, { kind: 'withdraw' }, ending.why);
    return fenced ?? ending;
  }

  /** Writes the next generation and waits until every replica serves it. An ending means: this release is over. */
  private async publish(submission: CandidateSubmission, change: PublishRequest['change'], reason: string): Promise<Ending | null> {
    this.step += 1;
    for (;;) {
      if (this.aborted()) return this.abortedEnding();
      const published: Published = await control.publishSpec({
        surface: submission.surface,
        releaseId: this.status.releaseId ?? '',
        expectedGeneration: this.status.generation,
        step: `${this.step}-${change.kind}`,
        reason,
        artifact: submission.artifact,
        charter: this.charter,
        change,
      });
      if (published.status === 'fenced') return { outcome: 'aborted', why: published.why };
      if (published.status === 'published') {
        this.status.generation = published.generation;
        const replicas = await patient.awaitReplicas({ surface: submission.surface, generation: published.generation });
        if (replicas.status === 'refused' && change.kind !== 'withdraw') return this.replicaRefused(submission, change, replicas.why);
        return null;
      }
      this.status.why = published.why;
      if (published.status === 'frozen') await condition(() => this.aborted(), Math.max(1, published.untilMs - Date.now()));
      else await this.resumed(published.generation);
    }
  }

  private async replicaRefused(submission: CandidateSubmission, change: PublishRequest['change'], why: string): Promise<Ending> {
    const ending: Ending = { outcome: 'rolled-back', why: `a replica refused generation ${this.status.generation}: ${why}` };
    // The release's own caller withdraws after shadow and canary; a promotion has nobody behind it.
    if (change.kind === 'promote') await this.publish(submission, { kind: 'withdraw' }, ending.why);
    return ending;
  }

  private async resumed(pausedGeneration: number): Promise<void> {
    await condition(() => this.override !== null && this.override.action !== 'pause' && this.override.generation > pausedGeneration);
    if (this.aborted()) return;
    // A resume is a generation of its own; from there this release goes on.
    this.status.generation = this.override?.generation ?? this.status.generation;
    this.override = null;
  }

  private aborted(): boolean {
    return this.override?.action === 'abort' || this.override?.action === 'rollback';
  }

  private abortedEnding(): Ending {
    return { outcome: 'aborted', why: `${this.override?.action}: ${this.override?.why}` };
  }

  /** Votes are taken one at a time, so that the second sees the first. */
  private async decide(vote: Vote): Promise<VoteResult> {
    this.votes += 1;
    const sequence = this.votes;
    const turn = this.voting.then(async () => {
      const open = this.status.phase === 'approval' && this.outcome === 'waiting';
      const result = await control.recordVote({
        surface: this.status.surface,
        releaseId: this.status.releaseId ?? 'none',
        evidence: open ? this.status.evidence : null,
        policy: open ? this.status.policy : null,
        vote,
        earlier: this.status.votes,
        sequence: this.status.closed * 1000 + sequence,
        atMs: Date.now(),
      });
      this.status.votes.push(result);
      if (result.accepted) this.outcome = result.outcome;
      return result;
    });
    this.voting = turn.catch(() => undefined);
    return turn;
  }

  overridden(): boolean {
    return this.status.phase === 'idle' && this.override !== null;
  }

  /** After an override while no release ran: what serves has changed, so the registry must follow. */
  async reconcile(): Promise<void> {
    const generation = this.override?.generation ?? 0;
    this.override = null;
    await patient.reconcile({ surface: this.status.surface, generation });
    this.status.why = `reconciled with generation ${generation}`;
  }

  /** Candidates that a newer one replaced before their turn came: the ledger says so. */
  async closeDropped(newer: CandidateSubmission): Promise<void> {
    const { surface } = this.status;
    for (const { candidate, artifact, runId, report } of this.dropped.splice(0)) {
      const releaseId = `${candidate}-${report.slice(7, 15)}`;
      const why = `${newer.candidate} is newer`;
      await patient.closeRelease({ surface, releaseId, candidate, artifact, runId, outcome: 'superseded', why, generation: this.status.generation });
    }
  }

  async close(submission: CandidateSubmission, ending: Ending): Promise<void> {
    this.status.phase = 'closing';
    await condition(allHandlersFinished);
    await patient.closeRelease({
      surface: submission.surface,
      releaseId: this.status.releaseId ?? 'none',
      candidate: submission.candidate,
      artifact: submission.artifact,
      runId: submission.runId,
      ...ending,
      generation: this.status.generation,
    });
    this.override = null;
    const last = { releaseId: this.status.releaseId ?? 'none', candidate: submission.candidate, ...ending };
    this.status = {
      ...idle(this.status.surface),
      generation: this.status.generation,
      last,
      closed: this.status.closed + 1,
      waiting: this.pending?.candidate ?? null,
    };
  }

  private async tell(opened: Opened, what: 'opened' | 'reminder' | 'escalation', message: string): Promise<void> {
    await control.notify({ surface: this.status.surface, releaseId: opened.releaseId, what, message });
  }

  private lookRequest(submission: CandidateSubmission, opened: Opened, startedAtMs: number) {
    return {
      surface: submission.surface,
      releaseId: opened.releaseId,
      charter: opened.charter,
      intent: opened.intent,
      artifact: submission.artifact,
      champion: null,
      look: this.status.look,
      startedAtMs,
      atMs: Date.now(),
    };
  }
}
