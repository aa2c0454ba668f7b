import { allHandlersFinished, condition } from '@temporalio/workflow';
import type { OpenedRelease, PublishRequest } from '../../activities/api.ts';
import type { CanaryDecision } from '../../models/contracts/canary.ts';
import type { CandidateSubmission, ReleaseStatus } from '../../models/contracts/release.ts';
import { control, training } from '../proxies.ts';
import type { Ending, Overrides } from './overrides.ts';
import type { Voting } from './voting.ts';

type Opened = Extract<OpenedRelease, { kind: 'opened' }>;
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
};

/** What the stages share of the publisher. */
export type Desk = {
  status: ReleaseStatus;
  /** The candidate that waits behind this one. */
  pending: CandidateSubmission | null;
  overrides: Overrides;
  voting: Voting;
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
  const evaluated = await training.evaluateCandidate({ retrain: rehearsal.retrain, trained: rehearsal.trained, log, sinceGeneration: generation });
  submission.report = evaluated.report;
  const reopened = await control.openRelease({ submission, continuing: desk.status.releaseId });
  if (reopened.kind !== 'opened') return { outcome: 'refused', why: reopened.why };
  way.opened = reopened;
  return null;
}

async function approval(desk: Desk, { opened }: Way): Promise<Ending | null> {
  Object.assign(desk.status, { evidence: opened.evidence, intent: opened.intent, policy: opened.policy });
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
    const look = await control.lookAtShadow({ ...lookRequest(desk, way, way.startedAtMs), stage: -1, share: 0 });
    desk.status.why = look.why;
    if (look.failed) return { outcome: 'rolled-back', why: look.why };
    if (look.done) return null;
    await desk.breathe(way);
    if (await condition(() => desk.overrides.aborted(), way.opened.lookEveryMs)) return desk.overrides.ending();
  }
}

async function canary(desk: Desk, way: Way): Promise<Ending | null> {
  if (!way.opened.canaryNeeded) return null;
  desk.status.phase = 'canary';
  way.startedAtMs ??= Date.now();
  // The first rung opens at the share that the first look gives: look 0 sees no data and answers the floor of the rung.
  let decision = way.decision ?? (await control.lookAtCanary({ ...lookRequest(desk, way, way.startedAtMs), stage: 0, share: 0 }));
  for (;;) {
    const stage = decision.action === 'advance' ? decision.stage + 1 : decision.stage;
    const { share } = decision;
    const bySegment = decision.segmentShares === undefined ? {} : { segmentShares: decision.segmentShares };
    if (stage !== desk.status.stage || share !== desk.status.share || differ(decision.segmentShares, desk.status.segmentShares)) {
      const ending = await desk.publish(way.submission, { kind: 'split', stage, share, ...bySegment }, decision.reasons.join('; '));
      if (ending !== null) return ending;
      Object.assign(desk.status, { stage, share, ...bySegment });
    }
    way.decision = decision;
    await desk.breathe(way);
    if (await condition(() => desk.overrides.aborted(), way.opened.lookEveryMs)) return desk.overrides.ending();
    desk.status.look += 1;
    const atMs = Date.now();
    decision = await control.lookAtCanary({ ...lookRequest(desk, way, way.startedAtMs), atMs, stage, share });
    Object.assign(way, { decision, lookedAtMs: atMs });
    desk.status.lastDecision = { action: decision.action, verdict: decision.verdict, reasons: decision.reasons };
    desk.status.why = decision.reasons.join('; ');
    if (decision.action === 'promote') return null;
    if (decision.action === 'roll-back') return { outcome: 'rolled-back', why: desk.status.why };
  }
}

type Shares = Record<string, number> | undefined;

function differ(now: Shares = {}, before: Shares = {}): boolean {
  const segments = new Set([...Object.keys(now), ...Object.keys(before)]);
  return [...segments].some((segment) => now[segment] !== before[segment]);
}

async function tell(desk: Desk, opened: Opened, what: 'opened' | 'reminder' | 'escalation', message: string): Promise<void> {
  await control.notify({ surface: desk.status.surface, releaseId: opened.releaseId, what, message });
}

function lookRequest(desk: Desk, { submission, opened }: Way, startedAtMs: number) {
  return {
    surface: submission.surface,
    releaseId: opened.releaseId,
    charter: opened.charter,
    intent: opened.intent,
    artifact: submission.artifact,
    champion: null,
    look: desk.status.look,
    startedAtMs,
    atMs: Date.now(),
  };
}
