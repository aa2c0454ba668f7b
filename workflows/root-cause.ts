import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  ChildWorkflowFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  setHandler,
  sleep,
  startChild,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import type { CauseEntry, FoundCause } from '../activities/root-cause/api.ts';
import { releaseMessages, releaseWorkflowId, rootCauseIdOf, rootCauseMessages, workflowNames } from '../models/contracts/messages.ts';
import type { OverrideNotice, Vote, VoteResult } from '../models/contracts/release.ts';
import type { CauseRequest, RootCauseOutcome, RootCauseStatus } from '../models/contracts/root-cause.ts';
import { control, finding } from './proxies.ts';
import { Voting } from './release/voting.ts';

export type RootCauseInput = Omit<CauseRequest, 'atMs' | 'exact'> & { by: string };

const looksAtMost = 3;
/** So often the signal is looked at after a mend, within the time in which it must have recovered. */
const recoveryLooks = 6;

const statusQuery = defineQuery<RootCauseStatus>(rootCauseMessages.status);
const decideUpdate = defineUpdate<VoteResult, [Vote]>(rootCauseMessages.decide);
const decideSignal = defineSignal<[Vote]>(rootCauseMessages.decide);

/** Measures, names suspects, proposes one mend, has it decided, does it, and looks whether it helped; if not, looks again, three times at most. */
export async function rootCause(input: RootCauseInput): Promise<RootCauseStatus> {
  const desk = new Desk(input);
  desk.listen();
  try {
    await desk.work();
  } catch (error) {
    if (!(error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) || isCancellation(error)) throw error;
    const { cause } = error;
    await desk.close('failed', cause instanceof ApplicationFailure ? `${cause.type}: ${cause.message}` : error.message);
  }
  await condition(allHandlersFinished);
  return desk.status;
}

class Desk {
  readonly status: RootCauseStatus;
  private readonly input: RootCauseInput;
  private voting = new Voting();

  constructor(input: RootCauseInput) {
    this.input = input;
    this.status = {
      ...{ id: rootCauseIdOf(workflowInfo()), surface: input.surface, alert: input.alert, phase: 'gathering', why: 'measuring', look: 0 },
      ...{ facts: null, evidence: null, layer: null, cause: null, mend: null, policy: null, votes: [], mends: [], outcome: null },
    };
  }

  listen(): void {
    setHandler(statusQuery, () => this.status);
    const decide = (vote: Vote) => this.voting.decide(vote, () => ({ ...this.status, releaseId: this.status.id, closed: this.status.look }));
    setHandler(decideUpdate, async (vote) => {
      const result = await decide(vote);
      if (!result.accepted) throw ApplicationFailure.nonRetryable(result.message, result.code ?? 'UND-NO-REQUEST', result);
      return result;
    });
    setHandler(decideSignal, async (vote) => {
      await decide(vote);
    });
  }

  async work(): Promise<void> {
    const { surface, alert, signal, promotion } = this.input;
    let request: CauseRequest = { surface, alert, signal, promotion, fromMs: this.input.fromMs, toMs: this.input.toMs, atMs: Date.now(), exact: false };
    for (;;) {
      this.status.look += 1;
      const found = await this.look(request);
      const by = await this.allowed(found);
      if (by === null || found.mend === null) return;
      await this.mend(found, by);
      const since = (fromMs: number): CauseRequest => ({ ...request, fromMs, toMs: Date.now(), atMs: Date.now(), exact: true });
      const mendedMs = Date.now();
      if (await this.recovers(found, since)) return this.close('recovered', this.status.why);
      if (this.status.look >= looksAtMost) return this.close('not-recovered', this.status.why);
      request = since(mendedMs);
    }
  }

  private async look(request: CauseRequest): Promise<FoundCause> {
    this.voting = new Voting();
    Object.assign(this.status, { phase: 'gathering', why: 'measuring', votes: [], policy: null, evidence: null });
    const found = await finding.findCause(request);
    const { facts, diagnosis, layer, cause, mend, note } = found;
    Object.assign(this.status, { facts, layer, cause, mend, evidence: diagnosis, why: note });
    const detail = { diagnosis, layer, cause, mend: mend?.action ?? null, target: mend?.target ?? null, note, alert: this.input.alert };
    await this.record(this.status.look === 1 ? 'opened' : 'reopened', this.input.by, detail);
    return found;
  }

  /** Who lets the mend be done; null where nobody does, and it is closed. */
  private async allowed({ layer, mend, objection, automatic, policy, note }: FoundCause): Promise<string | null> {
    if (mend === null || objection !== null) {
      const outcome = layer === null ? 'nothing-found' : layer === 'outside' ? 'outside' : 'no-mend';
      await this.close(outcome, mend === null ? note : `${mend.action}: ${objection}`);
      return null;
    }
    if (automatic) return 'charter';
    Object.assign(this.status, { phase: 'approval', policy, why: `${mend.action} waits for ${policy.votesNeeded} of ${names(policy)}` });
    const { id, surface } = this.status;
    // Each look is a request of its own.
    await control.notify({ surface, releaseId: `${id}/${this.status.look}`, what: 'opened', message: this.status.why });
    const answered = await condition(() => this.voting.outcome !== 'waiting', policy.expireAfterMs);
    await condition(allHandlersFinished);
    const last = this.status.votes.findLast((one) => one.accepted);
    if (this.voting.outcome === 'approved') return last?.by ?? '';
    if (answered || this.voting.outcome === 'rejected') await this.close('rejected', last?.message ?? '');
    else await this.close('not-answered', `nobody decided on ${mend.action} within ${policy.expireAfterMs / 3_600_000} hours`);
    return null;
  }

  private async mend({ facts, diagnosis, mend }: FoundCause, by: string): Promise<void> {
    if (mend === null) return;
    const { id, surface, look } = this.status;
    Object.assign(this.status, { phase: 'mending', why: `${mend.action}, by ${by}` });
    const step = await finding.doMend({ id, surface, look, facts, diagnosis, mend, by, why: mend.why });
    if (step.override !== null) await tell(surface, step.override);
    for (const { workflowId, request } of step.replays) await startOnce(() => executeChild(workflowNames.ingest, { workflowId, args: [request] }));
    const { retrain } = step;
    if (retrain !== null)
      await startOnce(() =>
        startChild(workflowNames.requestRetrain, {
          workflowId: `request-retrain/${surface}/${id.replaceAll('/', '.')}-${look}`,
          args: [retrain],
          parentClosePolicy: ParentClosePolicy.ABANDON,
          workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        }),
      );
    const { action, target } = mend;
    this.status.mends.push({ action, target, by, did: step.did });
    await this.record('mended', by, { action, target, did: step.did, diagnosis });
  }

  /** Looks at what was since the look before: a mend takes a while until all replicas have it. */
  private async recovers({ diagnosis, recoverWithinMs }: FoundCause, since: (fromMs: number) => CauseRequest): Promise<boolean> {
    this.status.phase = 'watching';
    this.status.why = 'the mend is done; the signal is watched';
    for (let look = 1; look <= recoveryLooks; look += 1) {
      const fromMs = Date.now();
      await sleep(Math.max(1, recoverWithinMs / recoveryLooks));
      const { recovered, why, ...seen } = await finding.lookForRecovery({ request: since(fromMs), before: diagnosis });
      this.status.why = why;
      if (!recovered) continue;
      await this.record('recovered', 'root-cause', { why, diagnosis: seen.diagnosis });
      return true;
    }
    return false;
  }

  async close(outcome: RootCauseOutcome, why: string): Promise<void> {
    await this.record('closed', 'root-cause', { outcome, why, diagnosis: this.status.evidence });
    Object.assign(this.status, { phase: 'closed', outcome, why });
  }

  private record(action: CauseEntry['action'], by: string, detail: CauseEntry['detail']): Promise<void> {
    const { id, surface, look } = this.status;
    return finding.recordCause({ id, surface, look, action, by, detail });
  }
}

const names = ({ approvers }: NonNullable<RootCauseStatus['policy']>): string => approvers.map(({ name }) => name).join(', ');

/** Where no publisher runs, nobody need hear of it. */
async function tell(surface: string, notice: OverrideNotice): Promise<void> {
  await getExternalWorkflowHandle(releaseWorkflowId(surface))
    .signal(releaseMessages.overridden, notice)
    .catch(() => undefined);
}

/** Somebody else may have started the same work. */
async function startOnce(start: () => Promise<unknown>): Promise<void> {
  try {
    await start();
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
