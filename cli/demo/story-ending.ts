import { UnderstudyError } from '../../models/contracts/problem.ts';
import { table } from '../output.ts';
import type { Afterwards } from './afterwards.ts';
import type { ActResult } from './story.ts';

export type Told = { acts: ActResult[]; afterwards: Afterwards[] };

function actDocument({ act, run, outcome, why, seconds, evidence }: ActResult) {
  return { candidate: act.candidate, title: act.title, outcome, expected: act.expected, why, seconds, evidence, run: run.runId, artifact: run.artifact };
}

const shortened = (why: string) => (why.length > 150 ? `${why.slice(0, 147)}...` : why);

export const storyDocument = ({ acts, afterwards }: Told) => ({ acts: acts.map(actDocument), afterwards });

/** Two tables: what became of the candidates, and what happened behind them. */
export function storyText({ acts, afterwards }: Told): string {
  const candidates = table(
    ['candidate', 'outcome', 's', 'what decided'],
    acts.map(({ act, outcome, why, seconds }) => [act.candidate, outcome, seconds.toFixed(0), shortened(why)]),
  );
  if (afterwards.length === 0) return candidates;
  const rows = afterwards.map(({ what, outcome, why, seconds }) => [what, outcome, seconds.toFixed(0), shortened(why)]);
  return `${candidates}\n\n${table(['afterwards', 'outcome', 's', 'why'], rows)}`;
}

/** The story's promise: each act ends as it should. @throws UND-GATE naming the first that did not. */
export function checkStory({ acts, afterwards }: Told): void {
  // Only a person who was asked says no: that is an answer, not a failure.
  const wrong = acts.find(({ outcome, act }) => outcome !== act.expected && outcome !== 'rejected');
  if (wrong !== undefined)
    throw new UnderstudyError('UND-GATE', `${wrong.act.candidate} ended ${wrong.outcome} (${wrong.why}), expected ${wrong.act.expected}`);
  const missed = afterwards.find(({ isExpected }) => !isExpected);
  if (missed !== undefined) throw new UnderstudyError('UND-GATE', `${missed.what} ended ${missed.outcome}: ${missed.why}`);
}
