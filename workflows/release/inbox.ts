import { CancellationScope, condition } from '@temporalio/workflow';
import type { CandidateSubmission } from '../../models/contracts/release.ts';
import { patient } from '../proxies.ts';

/** The same candidate, judged the same time. */
function isSame(one: CandidateSubmission, other: CandidateSubmission): boolean {
  return one.artifact === other.artifact && (one.attempt ?? 1) === (other.attempt ?? 1);
}

const partyOf = ({ party = [] }: CandidateSubmission): string => party.join('\n');

/** Candidates that wait for the surface's only publisher: those of one request stand together, and a newer request takes the place of an older one. */
export class Inbox {
  readonly waiting: CandidateSubmission[];
  /** Whose place was taken before their turn came. */
  readonly dropped: CandidateSubmission[];

  constructor({ waiting, dropped }: { waiting: CandidateSubmission[]; dropped: CandidateSubmission[] }) {
    this.waiting = waiting;
    this.dropped = dropped;
  }

  get first(): CandidateSubmission | null {
    return this.waiting[0] ?? null;
  }

  /** What the next run takes over of those that wait. */
  carried(): { pending: CandidateSubmission | null; beside?: CandidateSubmission[] } {
    const [pending = null, ...beside] = this.waiting;
    return { pending, ...(beside.length === 0 ? {} : { beside }) };
  }

  /** @param current the candidates that are being released. */
  add(submission: CandidateSubmission, current: readonly CandidateSubmission[]): void {
    if ([...current, ...this.waiting].some((one) => isSame(one, submission))) return;
    const joins = this.first !== null && submission.party !== undefined && partyOf(this.first) === partyOf(submission);
    if (!joins) this.dropped.push(...this.waiting.splice(0));
    this.waiting.push(submission);
  }

  /** Until no other candidate of the first one's request can come any more. False where a newer request has come, or the caller's world has changed. */
  async gathered(changed: () => boolean): Promise<boolean> {
    const { first } = this;
    if (first?.party === undefined) return first !== null;
    const { surface, party } = first;
    const isOver = () => changed() || this.first === null || partyOf(this.first) !== partyOf(first);
    const scope = new CancellationScope();
    const come = scope.run(() => patient.awaitParty({ surface, party })).then(() => !isOver());
    const outcome = await Promise.race([come, scope.run(() => condition(isOver)).then(() => false)]);
    scope.cancel();
    await come.catch(() => undefined);
    return outcome;
  }
}
