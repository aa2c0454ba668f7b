import type { AuditItem, AuditSection } from '../../models/contracts/audit.ts';
import type { FeedbackReport } from '../../models/contracts/audit-measures.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { DataState } from '../../models/contracts/window.ts';
import type { Context } from '../context.ts';

/** What every section of an audit is told. */
export type AuditInput = {
  context: Pick<Context, 'state' | 'now'>;
  /** What the worker has of keys; null in a process that does not know. */
  keys: Pick<Context, 'approverKeys' | 'servingKey' | 'signingKey'> | null;
  surface: string;
  charter: Charter;
  /** Undefined while the surface has none. */
  data: DataState | undefined;
  /** When the last audit was; null for the first. */
  sinceMs: number | null;
  /** What the logs of a year say of feedback, measured once for all sections that ask. */
  measuredFeedback: () => Promise<FeedbackReport>;
  workDir: string;
  /** False where an audit is only tried: nothing is to be kept of it. */
  writes: boolean;
  signal: AbortSignal;
};

/** Tests some claims again. Its items' ids begin with its name, and stay the same from audit to audit. */
export type SectionCheck = { name: string; title: string; examine(input: AuditInput): Promise<{ items: AuditItem[]; pictures?: AuditSection['pictures'] }> };
