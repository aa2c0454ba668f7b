import { condition } from '@temporalio/workflow';
import type { AmongDecision } from '../../models/contracts/canary.ts';
import { control } from '../proxies.ts';
import { differ } from './canary-of-one.ts';
import { contestantsOf, shown } from './contestants.ts';
import type { Ending } from './overrides.ts';
import type { Desk, Way } from './stages.ts';

/** A canary of several challengers: each look eliminates those that have lost, until one is promoted or none is left. */
export async function canaryAmong(desk: Desk, way: Way): Promise<Ending | null> {
  desk.status.phase = 'canary';
  way.startedAtMs ??= Date.now();
  const none = Object.fromEntries(contestantsOf(way).map(({ submission }) => [submission.artifact, 0]));
  // As with one challenger, look 0 sees no data and opens the first rung.
  way.among ??= await look(desk, way, { stage: 0, shares: none });
  for (;;) {
    const { action, shares, decisions } = way.among;
    const stage = action === 'advance' ? way.among.stage + 1 : way.among.stage;
    if (stage !== desk.status.stage || differ(shares, way.split)) {
      const share = Object.values(shares).reduce((sum, own) => sum + own, 0);
      const ending = await desk.publish(way.submission, { kind: 'split', stage, share, shares }, reasonsOf(way, decisions));
      if (ending !== null) return ending;
      way.split = shares;
      Object.assign(desk.status, { stage, share });
    }
    desk.status.challengers = shown(way);
    await desk.breathe(way);
    if (await condition(() => desk.overrides.aborted(), way.opened.lookEveryMs)) return desk.overrides.ending();
    desk.status.look += 1;
    way.among = await look(desk, way, { stage, shares });
    const why = reasonsOf(way, way.among.decisions);
    desk.status.why = why;
    desk.status.lastDecision = { action: way.among.action, verdict: way.among.verdict, reasons: [why] };
    desk.status.challengers = shown(way);
    if (way.among.action === 'roll-back') return { outcome: 'rolled-back', why };
    if (way.among.action === 'promote') {
      way.winner = contestantsOf(way).find(({ submission }) => submission.artifact === way.among?.promoted)?.submission;
      return null;
    }
  }
}

type Standing = Pick<AmongDecision, 'stage' | 'shares'>;

async function look(desk: Desk, way: Way, { stage, shares }: Standing): Promise<AmongDecision> {
  const { surface } = way.submission;
  const { releaseId, charter } = way.opened;
  const atMs = Date.now();
  const startedAtMs = way.startedAtMs ?? atMs;
  const contenders = contestantsOf(way).flatMap(({ submission: { artifact }, opened: { intent } }) => (intent === 'bootstrap' ? [] : [{ artifact, intent }]));
  const decision = await control.lookAmong({ surface, releaseId, charter, contenders, shares, stage, look: desk.status.look, startedAtMs, atMs });
  way.decided = { ...way.decided, ...decision.decisions };
  way.lookedAtMs = atMs;
  return decision;
}

function reasonsOf(way: Way, decisions: AmongDecision['decisions']): string {
  return contestantsOf(way)
    .flatMap(({ submission: { artifact, candidate } }) => {
      const decision = decisions[artifact];
      return decision === undefined ? [] : [`${candidate}: ${decision.reasons.join('; ')}`];
    })
    .join(' | ');
}
