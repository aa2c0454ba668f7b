import type { CloseRequest, OpenedRelease } from '../../activities/api.ts';
import type { CandidateSubmission, ReleaseStatus } from '../../models/contracts/release.ts';
import { control } from '../proxies.ts';
import type { Ending } from './overrides.ts';
import type { Opened, Way } from './stages.ts';

/** One of the challengers that share a release; mostly it is the only one. */
export type Contestant = { submission: CandidateSubmission; opened: Opened };

/** The first stands in the way itself. */
export function contestantsOf({ submission, opened, rivals = [] }: Way): Contestant[] {
  return [{ submission, opened }, ...rivals];
}

export type Gone = { submission: CandidateSubmission; ending: Ending; releaseId: string };

/** Which candidates of one request share the release, best first; one that is alone need not be chosen. The id of all is that of the first. */
export async function enter(
  submissions: readonly CandidateSubmission[],
  open: (submission: CandidateSubmission) => Promise<OpenedRelease>,
): Promise<{ contestants: Contestant[]; gone: Gone[] }> {
  const ready: Contestant[] = [];
  const gone: Gone[] = [];
  const refuse = (submission: CandidateSubmission, { releaseId, why }: { releaseId: string; why: string }) =>
    void gone.push({ submission, releaseId, ending: { outcome: 'refused', why } });
  for (const submission of submissions) {
    const opened = await open(submission);
    if (opened.kind === 'opened') ready.push({ submission, opened });
    else refuse(submission, opened);
  }
  const [first] = ready;
  if (first === undefined || ready.length === 1) return { contestants: ready, gone };
  const choice = await control.chooseContenders({ surface: first.submission.surface, submissions: ready.map(({ submission }) => submission) });
  const chosen = choice.chosen.flatMap((runId) => ready.filter(({ submission }) => submission.runId === runId));
  for (const { runId, why } of choice.left) {
    for (const { submission, opened } of ready) if (submission.runId === runId) refuse(submission, { releaseId: opened.releaseId, why });
  }
  const releaseId = chosen[0]?.opened.releaseId ?? first.opened.releaseId;
  return { contestants: chosen.map((one) => ({ ...one, opened: { ...one.opened, releaseId } })), gone };
}

/** The way of those that are left; the first of them leads it. */
export function goOnWith(way: Way, left: readonly Contestant[]): void {
  const [first, ...others] = left;
  if (first === undefined) return;
  Object.assign(way, first);
  if (others.length > 0) way.rivals = others;
  else delete way.rivals;
}

export type Closing = { submission: CandidateSubmission; ending: Ending; canary: Pick<CloseRequest, 'canary'> };

/** What each contestant comes to when the release ends. */
export function closingsOf(way: Way, ending: Ending): Closing[] {
  const all = contestantsOf(way);
  return all.map((contestant, index) => ({
    submission: contestant.submission,
    ending: fateOf(way, contestant, ending),
    canary: canaryOf(way, contestant, all.length > 1 ? index + 1 : undefined),
  }));
}

function fateOf({ among, winner, decided = {}, rivals = [] }: Way, { submission: { artifact } }: Contestant, ending: Ending): Ending {
  if (rivals.length === 0) return ending;
  if (among?.out.includes(artifact)) return { outcome: 'rolled-back', why: decided[artifact]?.reasons.join('; ') ?? ending.why };
  if (ending.outcome !== 'promoted' || winner === undefined || winner.artifact === artifact) return ending;
  return { outcome: 'superseded', why: `${winner.candidate} of the same release was promoted` };
}

/** What a contestant's canary came to, where the release had got so far. */
function canaryOf(way: Way, { submission, opened }: Contestant, arm: number | undefined): Pick<CloseRequest, 'canary'> {
  const decision = arm === undefined ? way.decision : way.decided?.[submission.artifact];
  if (way.at !== 'canary' || way.startedAtMs === null || !decision) return {};
  const { charter, evidence, intent } = opened;
  if (intent === 'bootstrap') return {};
  const { startedAtMs, lookedAtMs: endedAtMs = Date.now() } = way;
  return { canary: { charter, evidence, intent, startedAtMs, endedAtMs, decision, ...(arm === undefined ? {} : { arm }) } };
}

/** For whoever asks where the release stands. */
export function shown(way: Way): ReleaseStatus['challengers'] {
  const { rivals = [], split, decided = {} } = way;
  if (rivals.length === 0) return undefined;
  return contestantsOf(way).map(({ submission: { candidate, artifact }, opened: { intent } }) => ({
    candidate,
    artifact,
    intent,
    share: split?.[artifact] ?? null,
    why: decided[artifact]?.reasons.join('; ') ?? '',
  }));
}
