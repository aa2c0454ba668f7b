import { allHandlersFinished, condition } from '@temporalio/workflow';
import type { OpenedRelease, PublishRequest } from '../../activities/api.ts';
import type { AmongDecision, CanaryDecision } from '../../models/contracts/canary.ts';
import type { CandidateSubmission, ReleaseStatus } from '../../models/contracts/release.ts';
import { control, training } from '../proxies.ts';
import { canaryAmong } from './canary-among.ts';
import { canaryOfOne, lookRequest } from './canary-of-one.ts';
import { type Contestant, contestantsOf, goOnWith, shown } from './contestants.ts';
import type { Ending, Overrides } from './overrides.ts';
import type { Voting } from './voting.ts';

export type Opened = Extract<OpenedRelease, { kind: 'opened' }>;
type Stage = (desk: Desk, way: Way) => Promise<Ending | null>;

/** What an opened release goes through, in order. */
export const stageNames = ['rehearsal', 'approval', 'shadow', 'canary'] as const;

/** How far a release has come. `startedAtMs` is null until the stage has begun, `decision` until a canary has looked. */
export type Way = {
  submission: CandidateSubmission;
  opened: Opened;
  at: (typeof stageNames)[number];
  startedAtMs: number | null;
  decision: CanaryDecision | null;
  /** When that look was. */
  lookedAtMs?: number;
  /** The release's other challengers, in an order that stays from the canary on. */
  rivals?: Contestant[];
  /** With rivals: the last look, the last decision on each by artifact, the shares that were published last, and who is promoted. */
  among?: AmongDecision;
  decided?: Record<string, CanaryDecision>;
  split?: Record<string, number>;
  winner?: CandidateSubmission;
};

/** What the stages share of the publisher. */
export type Desk = {
  status: ReleaseStatus;
  /** The candidate that waits behind this one. */
  pending: CandidateSubmission | null;
  overrides: Overrides;
  voting: Voting;
  /** One of several is out before the canary; the others go on. */
  leave(submission: CandidateSubmission, ending: Ending): Promise<void>;
  publish(submission: CandidateSubmission, change: PublishRequest['change'], reason: string): Promise<Ending | null>;
  breathe(way: Way): Promise<void>;
};

/** Each stage ends in null, which is: go on; or in an ending. */
export const stages: Record<(typeof stageNames)[number], Stage> = { rehearsal, approval, shadow, canary };

/** With the challenger's items in the exploration pool, the log comes to carry evidence about them; then the evidence is made again. */
async function rehearsal(desk: Desk, way: Way): Promise<Ending | null> {
  const { submission } = way;
  const { rehearsal } = way.opened;
  // Slates are only counted here: nothing is decided by looking often.
  const lookEveryMs = Math.min(way.opened.lookEveryMs, 60_000);
  if (rehearsal === null) return null;
  desk.status.phase = 'rehearsal';
  way.startedAtMs ??= Date.now();
  const { generation } = desk.status;
  for (;;) {
    const look = await control.lookAtRehearsal({
      surface: submission.surface,
      generation,
      slates: rehearsal.slates,
      maxDurationMs: rehearsal.maxDurationMs,
      attributionMs: rehearsal.attributionMs ?? 0,
      startedAtMs: way.startedAtMs,
      atMs: Date.now(),
    });
    desk.status.why = look.why;
    if (look.done) break;
    await desk.breathe(way);
    if (await condition(() => desk.overrides.aborted() || desk.pending !== null, lookEveryMs)) {
      if (desk.overrides.aborted()) return desk.overrides.ending();
      return { outcome: 'superseded', why: `${desk.pending?.candidate} is newer` };
    }
  }
  desk.status.why = "making the evidence again on the rehearsal's log";
  const log = await control.sealLog({ surface: submission.surface });
  return sift(desk, way, async (one, beside) => {
    const { retrain, trained } = one.opened.rehearsal ?? rehearsal;
    const evaluated = await training.evaluateCandidate({ retrain, trained, log, sinceGeneration: generation });
    one.submission.report = evaluated.report;
    const reopened = await control.openRelease({ submission: one.submission, continuing: desk.status.releaseId, ...(beside ? { beside } : {}) });
    if (reopened.kind !== 'opened') return { outcome: 'refused', why: reopened.why };
    one.opened = reopened;
    return null;
  });
}

/** Those for whom the step ends leave; the others go on. An ending where nobody is left. */
async function sift(desk: Desk, way: Way, step: (one: Contestant, beside: boolean) => Promise<Ending | null>): Promise<Ending | null> {
  const left: Contestant[] = [];
  const gone: { one: Contestant; ending: Ending }[] = [];
  for (const [index, one] of contestantsOf(way).entries()) {
    const ending = await step(one, index > 0);
    if (ending === null) left.push(one);
    else gone.push({ one, ending });
  }
  const [first] = gone;
  if (left.length === 0 && first !== undefined) {
    for (const { one, ending } of gone.slice(1)) await desk.leave(one.submission, ending);
    goOnWith(way, [first.one]);
    return first.ending;
  }
  for (const { one, ending } of gone) await desk.leave(one.submission, ending);
  goOnWith(way, left);
  const { candidate, artifact } = way.submission;
  Object.assign(desk.status, { candidate, artifact, challengers: shown(way) });
  return null;
}

/** What is voted on: the report, or where several share the release the document that names the report of each. */
async function ballotOf(way: Way): Promise<{ evidence: string; policy: Opened['policy'] }> {
  if (way.rivals === undefined) return way.opened;
  const all = contestantsOf(way);
  return control.lineUp({
    surface: way.submission.surface,
    releaseId: way.opened.releaseId,
    submissions: all.map(({ submission }) => submission),
    policies: all.map(({ opened }) => opened.policy),
  });
}

async function approval(desk: Desk, way: Way): Promise<Ending | null> {
  const { evidence, policy } = await ballotOf(way);
  const opened = { ...way.opened, policy };
  Object.assign(desk.status, { evidence, intent: opened.intent, policy });
  if (!opened.approvalNeeded) return null;
  desk.status.phase = 'approval';
  desk.status.why = `waits for ${opened.policy.votesNeeded} of ${opened.policy.approvers.map((one) => one.name).join(', ')}`;
  await tell(desk, opened, 'opened', desk.status.why);
  const { remindAfterMs, escalateAfterMs, expireAfterMs } = opened.policy;
  const settled = () => desk.voting.outcome !== 'waiting' || desk.pending !== null || desk.overrides.aborted();
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
    await tell(desk, opened, step.what, `${opened.releaseId} still ${desk.status.why}`);
  }
  if (!settled()) await condition(settled, Math.max(1, expireAfterMs - waitedMs));
  await condition(allHandlersFinished);
  if (desk.overrides.aborted()) return desk.overrides.ending();
  if (desk.voting.outcome === 'approved') return null;
  if (desk.voting.outcome === 'rejected') return { outcome: 'rejected', why: desk.status.votes.filter((one) => one.accepted).at(-1)?.message ?? '' };
  if (desk.pending !== null) return { outcome: 'superseded', why: `${desk.pending.candidate} is newer` };
  return { outcome: 'expired', why: `nobody decided within ${expireAfterMs} ms` };
}

async function shadow(desk: Desk, way: Way): Promise<Ending | null> {
  if (!way.opened.canaryNeeded) return null;
  desk.status.phase = 'shadow';
  desk.status.stage = -1;
  if (way.startedAtMs === null) {
    way.startedAtMs = Date.now();
    const ending = await desk.publish(way.submission, { kind: 'shadow' }, 'the challenger answers unseen');
    if (ending !== null) return ending;
  }
  for (;;) {
    const { startedAtMs } = way;
    let done = true;
    const whys: string[] = [];
    const ending = await sift(desk, way, async (one) => {
      const look = await control.lookAtShadow({ ...lookRequest(desk, { ...way, ...one }, startedAtMs), stage: -1, share: 0 });
      whys.push(way.rivals === undefined ? look.why : `${one.submission.candidate}: ${look.why}`);
      done &&= look.done;
      return look.failed ? { outcome: 'rolled-back', why: look.why } : null;
    });
    desk.status.why = whys.join(' | ');
    if (ending !== null) return ending;
    if (done) return null;
    await desk.breathe(way);
    if (await condition(() => desk.overrides.aborted(), way.opened.lookEveryMs)) return desk.overrides.ending();
  }
}

function canary(desk: Desk, way: Way): Promise<Ending | null> {
  if (!way.opened.canaryNeeded) return Promise.resolve(null);
  return way.rivals === undefined ? canaryOfOne(desk, way) : canaryAmong(desk, way);
}

async function tell(desk: Desk, opened: Opened, what: 'opened' | 'reminder' | 'escalation', message: string): Promise<void> {
  await control.notify({ surface: desk.status.surface, releaseId: opened.releaseId, what, message });
}
