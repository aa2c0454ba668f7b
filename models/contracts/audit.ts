import { z } from 'zod';
import type { AlertTurns } from './alert.ts';
import { digestString, epochMs, surfaceName } from './ids.ts';

/** `weakened`: it may hold no more, and the data do not say for sure; or it moved to the edge. */
export const auditStatuses = ['holds', 'weakened', 'broken', 'not-measured'] as const;
export const auditStatus = z.enum(auditStatuses);
export type AuditStatus = z.infer<typeof auditStatus>;

/** One claim that was tested again. */
export const auditItem = z.strictObject({
  /** Stays the same from audit to audit: `<section>/<what>`. */
  id: z.string().regex(/^[a-z0-9-]+\/[^\s]{1,200}$/),
  claim: z.string(),
  status: auditStatus,
  /** Why it has this status, in a sentence. */
  says: z.string(),
  value: z.number().nullable(),
  unit: z.string().nullable(),
  interval: z.strictObject({ low: z.number(), high: z.number() }).nullable(),
  /** Within these it holds. */
  bounds: z.strictObject({ min: z.number().nullable(), max: z.number().nullable() }).nullable(),
});
export type AuditItem = z.infer<typeof auditItem>;

export const auditSection = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  title: z.string(),
  items: z.array(auditItem),
  /** Pictures, each SVG, with the sentence that stands below it. */
  pictures: z.array(z.strictObject({ title: z.string(), svg: z.string() })),
});
export type AuditSection = z.infer<typeof auditSection>;

export const findingStates = ['open', 'escalated', 'closed'] as const;

/** What an audit found weakened or broken, until it holds again or somebody says why it may stay. */
export const finding = z.strictObject({
  /** The item's. */
  id: z.string(),
  claim: z.string(),
  status: auditStatus,
  says: z.string(),
  state: z.enum(findingStates),
  owner: z.string(),
  openedAtMs: epochMs,
  dueAtMs: epochMs,
  /** Times that it went up the list. */
  escalations: z.number().int().min(0),
  /** What was done about it, oldest first. */
  followUp: z.array(z.strictObject({ atMs: epochMs, by: z.string(), what: z.string() })),
  /** Accepted until then, by somebody who closed it although it does not hold; null otherwise. */
  acceptedUntilMs: epochMs.nullable(),
});
export type Finding = z.infer<typeof finding>;

/** All findings of a surface, those that are closed for no longer than a year included: a generation of `findings/<surface>`. */
export const findingList = z.strictObject({
  kind: z.literal('findings'),
  surface: surfaceName,
  generation: z.number().int().min(1),
  findings: z.array(finding),
});
export type FindingList = z.infer<typeof findingList>;

/** A generation of `audit/<surface>`. */
export const auditReport = z.strictObject({
  kind: z.literal('audit'),
  surface: surfaceName,
  generation: z.number().int().min(1),
  atMs: epochMs,
  /** Who asked, or `schedule`. */
  by: z.string(),
  operationId: z.string(),
  charter: digestString,
  /** Of `data/<surface>`, and the days of it that assumptions were measured on; null where there are none. */
  data: z.strictObject({ generation: z.number().int(), from: z.string(), to: z.string() }).nullable(),
  sections: z.array(auditSection),
  counts: z.strictObject({ holds: z.number().int(), weakened: z.number().int(), broken: z.number().int(), 'not-measured': z.number().int() }),
  /** Items whose status is another than at the last audit; `was` is null for those that are new. */
  changes: z.array(z.strictObject({ id: z.string(), was: auditStatus.nullable(), is: auditStatus.nullable() })),
  /** As they stood behind this audit. */
  findings: z.array(finding),
});
export type AuditReport = z.infer<typeof auditReport>;

/** `generation`: of `audit/<surface>`, where the report is. */
export type AuditResult = { surface: string; generation: number; counts: AuditReport['counts']; findings: { open: number; new: number } };
/** `missed`: since when there has been no audit (null: ever), where one is overdue. */
export type FollowUp = {
  escalated: { id: string; owner: string; dueAtMs: number }[];
  missed: { sinceMs: number | null; everyDays: number } | null;
  /** Absent in what was recorded before a missed audit was an alert. */
  alerts?: AlertTurns;
};

/** Of the champion before; `why` there are none. */
export type KeptRetrainings = { retrainings: number; why: string | null };

/** What an audit has trained. */
export interface AuditTraining {
  keepRetrainings(input: { surface: string }): Promise<KeptRetrainings>;
}

export interface AuditActivities {
  runAudit(input: { surface: string; by: string; operationId: string }): Promise<AuditResult>;
  followUpFindings(input: { surface: string }): Promise<FollowUp>;
}
