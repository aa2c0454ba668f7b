import { condition } from '@temporalio/workflow';
import { control } from '../proxies.ts';
import type { Ending } from './overrides.ts';
import type { Desk, Way } from './stages.ts';

/** A canary of one challenger: each look waits, goes up a rung, promotes or rolls back. */
export async function canaryOfOne(desk: Desk, way: Way): Promise<Ending | null> {
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

/** Two splits of traffic, by segment or by challenger. */
export function differ(now: Shares = {}, before: Shares = {}): boolean {
  const names = new Set([...Object.keys(now), ...Object.keys(before)]);
  return [...names].some((name) => now[name] !== before[name]);
}

/** What every look at one challenger asks. */
export function lookRequest(desk: Desk, { submission, opened }: Way, startedAtMs: number) {
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
