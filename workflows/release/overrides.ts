import { condition } from '@temporalio/workflow';
import type { OverrideNotice, ReleaseOutcome } from '../../models/contracts/release.ts';

export type Ending = { outcome: ReleaseOutcome; why: string };

/** What a person ordered last over the release's head. The deployment spec has it already: this is the word of it. */
export class Overrides {
  notice: OverrideNotice | null;

  constructor(notice: OverrideNotice | null) {
    this.notice = notice;
  }

  aborted(): boolean {
    return this.notice?.action === 'abort' || this.notice?.action === 'rollback';
  }

  ending(): Ending {
    return { outcome: 'aborted', why: `${this.notice?.action}: ${this.notice?.why}` };
  }

  /** Waits for the end of a pause, or for an abort. */
  async resumed(pausedGeneration: number): Promise<void> {
    await condition(() => this.notice !== null && this.notice.action !== 'pause' && this.notice.generation > pausedGeneration);
    if (!this.aborted()) this.notice = null;
  }
}
