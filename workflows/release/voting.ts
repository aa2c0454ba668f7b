import type { ReleaseStatus, Vote, VoteResult } from '../../models/contracts/release.ts';
import { control } from '../proxies.ts';

/** What a vote needs to know of what is decided on: a release, or the mend of a root cause. */
type Decided = Pick<ReleaseStatus, 'surface' | 'releaseId' | 'evidence' | 'policy' | 'votes' | 'closed'> & { phase: string };

/** The votes on one release, from the signal and the update alike. */
export class Voting {
  outcome: 'waiting' | 'approved' | 'rejected' = 'waiting';
  private cast = 0;
  private turn: Promise<unknown> = Promise.resolve();

  /** Votes are taken one at a time, so that the second sees the first. Outside the request for approval each is refused, and recorded. */
  async decide(vote: Vote, now: () => Decided): Promise<VoteResult> {
    this.cast += 1;
    const number = this.cast;
    const turn = this.turn.then(async () => {
      const status = now();
      const open = status.phase === 'approval' && this.outcome === 'waiting';
      const result = await control.recordVote({
        surface: status.surface,
        releaseId: status.releaseId ?? 'none',
        evidence: open ? status.evidence : null,
        policy: open ? status.policy : null,
        vote,
        earlier: status.votes,
        sequence: status.closed * 1000 + number,
        atMs: Date.now(),
      });
      status.votes.push(result);
      if (result.accepted) this.outcome = result.outcome;
      return result;
    });
    this.turn = turn.catch(() => undefined);
    return turn;
  }
}
