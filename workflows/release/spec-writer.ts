import { condition } from '@temporalio/workflow';
import type { PublishRequest } from '../../activities/api.ts';
import type { CandidateSubmission, ReleaseStatus } from '../../models/contracts/release.ts';
import { control, patient } from '../proxies.ts';
import type { Ending, Overrides } from './overrides.ts';

type Order = Pick<PublishRequest, 'change' | 'reason' | 'charter' | 'rivals'>;

/** Writes a release's generations of the deployment spec, in order, each once. */
export class SpecWriter {
  step: number;
  private readonly now: () => ReleaseStatus;
  private readonly overrides: () => Overrides;

  constructor({ step, now, overrides }: { step: number; now: () => ReleaseStatus; overrides: () => Overrides }) {
    this.step = step;
    this.now = now;
    this.overrides = overrides;
  }

  /** Writes the next generation and waits until every replica serves it. An ending means: this release is over. */
  async publish(submission: CandidateSubmission, { change, reason, charter, rivals }: Order): Promise<Ending | null> {
    const status = this.now();
    const overrides = this.overrides();
    this.step += 1;
    for (;;) {
      if (overrides.aborted()) return overrides.ending();
      const published = await control.publishSpec({
        surface: submission.surface,
        releaseId: status.releaseId ?? '',
        expectedGeneration: status.generation,
        step: `${this.step}-${change.kind}`,
        reason,
        artifact: submission.artifact,
        charter,
        ...(rivals === undefined ? {} : { rivals }),
        change,
      });
      if (published.status === 'fenced') return { outcome: 'aborted', why: published.why };
      if (published.status === 'published') {
        status.generation = published.generation;
        status.why = `waiting until every replica serves generation ${published.generation}`;
        const replicas = await patient.awaitReplicas({ surface: submission.surface, generation: published.generation });
        if (replicas.status !== 'refused' || change.kind === 'withdraw') return null;
        return { outcome: 'rolled-back', why: `a replica refused generation ${published.generation}: ${replicas.why}` };
      }
      status.why = published.why;
      if (published.status === 'frozen') await condition(() => overrides.aborted(), Math.max(1, published.untilMs - Date.now()));
      else await overrides.resumed(published.generation);
    }
  }
}
