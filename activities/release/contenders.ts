import { lineup } from '../../models/contracts/lineup.ts';
import type { ApprovalPolicy, CandidateSubmission } from '../../models/contracts/release.ts';
import { type Report, report as reportSchema } from '../../models/contracts/report.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import type { ContenderChoice, LineUp } from '../api.ts';
import { type Context, readCharter } from '../context.ts';
import { holdTournament } from './contenders-tournament.ts';

type Entrant = { submission: CandidateSubmission; report: Report };

/**
 * Which of one request's candidates share the release: the best ones by the charter's primary metric, the first to come of equals, as many as
 * `release.challengers` has it; of equal artifacts one. With `gates.tournament` in the charter the one that goes on may be a cheaper one.
 */
export async function chooseContenders(context: Context, { submissions }: { submissions: CandidateSubmission[] }): Promise<ContenderChoice> {
  const { blobs } = context.state;
  const entrants: Entrant[] = await Promise.all(
    submissions.map(async (submission) => ({ submission, report: await getDocument(blobs, submission.report, reportSchema) })),
  );
  const [first] = entrants;
  if (first === undefined) return { chosen: [], left: [] };
  const charter = await readCharter(blobs, first.report.charter);
  const { gates, release } = charter;
  const scoreOf = ({ report }: Entrant): number => report.metrics[gates.primaryMetric]?.value ?? 0;
  const ranked = [...entrants].sort((a, b) => scoreOf(b) - scoreOf(a));
  const artifactOf = ({ submission }: Entrant): string => submission.artifact;
  const distinct = ranked.filter((one, place) => ranked.findIndex((other) => artifactOf(other) === artifactOf(one)) === place);
  const held = await holdTournament(context, { charter, contenders: distinct });
  const chosen: Entrant[] = [];
  const left: ContenderChoice['left'] = [];
  for (const one of ranked) {
    const { artifact, runId } = one.submission;
    const same = chosen.find(({ submission }) => submission.artifact === artifact);
    const goesOn = held === undefined ? chosen.length < release.challengers : held.entries.some((entry) => entry.isTaken && entry.artifact === artifact);
    if (same !== undefined) left.push({ runId, why: `it is the very artifact of ${same.submission.candidate}` });
    else if (goesOn) chosen.push(one);
    else {
      const better = chosen.map((other) => `${other.submission.candidate} has ${scoreOf(other).toFixed(4)}`).join(', ');
      const many = release.challengers === 1 ? 'one candidate of a request goes on' : `${release.challengers} candidates of a request go on`;
      const why = held?.message ?? `${better} of ${gates.primaryMetric}, and this one ${scoreOf(one).toFixed(4)}`;
      left.push({ runId, why: `${many} (${held === undefined ? 'release.challengers' : 'gates.tournament'}): ${why}` });
    }
  }
  return { chosen: chosen.map(({ submission }) => submission.runId), left };
}

/** Puts the reports of all into one document to vote on. Where their policies differ, the stricter holds. */
export async function lineUp(
  context: Context,
  { surface, releaseId, submissions, policies }: { surface: string; releaseId: string; submissions: CandidateSubmission[]; policies: ApprovalPolicy[] },
): Promise<LineUp> {
  const { blobs } = context.state;
  const contenders = await Promise.all(
    submissions.map(async ({ candidate, artifact, runId, report }) => {
      const { intent } = await getDocument(blobs, report, reportSchema);
      return { candidate, artifact, runId, intent, report };
    }),
  );
  const policy = {
    ...(policies[0] as ApprovalPolicy),
    loosened: [...new Set(policies.flatMap(({ loosened = [] }) => loosened))],
    votesNeeded: Math.max(...policies.map(({ votesNeeded }) => votesNeeded)),
  };
  return { evidence: await putDocument(blobs, lineup.parse({ kind: 'lineup', surface, releaseId, contenders })), policy };
}
