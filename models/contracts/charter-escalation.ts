import { z } from 'zod';
import { reportKind, type ReportKind, severity, type Severity } from './escalation.ts';

/** The shortest is for rehearsals. */
const minutes = z.number().min(0.01).max(527_040);
const names = z.array(z.string().min(1)).min(1).max(20);

/** Who answers a report, and until when. What is not said holds by `escalationDefaults`. */
export const escalationRules = z.strictObject({
  /** By the kind of a report, where nobody of the house says how severe it is. */
  severityOf: z.partialRecord(reportKind, severity).default({}),
  /** Whose a report is, and up to whom it goes, one after each deadline that is missed. Absent: the charter's owners. */
  owners: z.partialRecord(severity, names).default({}),
  acknowledgeWithinMinutes: z.partialRecord(severity, minutes).default({}),
  /** From when the report is opened, and anew for each owner who gets it after this deadline was missed. */
  resolveWithinMinutes: z.partialRecord(severity, minutes).default({}),
  /** An item is blocked before anybody has looked where the report is so severe, or of such a kind. */
  blockAtOnce: z
    .strictObject({ severities: z.array(severity).default(['critical']), kinds: z.array(reportKind).default([]) })
    .default({ severities: ['critical'], kinds: [] }),
});
export type EscalationRules = z.output<typeof escalationRules>;

/** Nothing is critical by its kind alone: whoever can report could block. */
export const escalationDefaults: {
  severityOf: Record<ReportKind, Severity>;
  acknowledgeWithinMinutes: Record<Severity, number>;
  resolveWithinMinutes: Record<Severity, number>;
} = {
  severityOf: { harmful: 'high', unfair: 'medium', broken: 'medium', wrong: 'low', other: 'low' },
  acknowledgeWithinMinutes: { critical: 15, high: 60, medium: 480, low: 1_440 },
  resolveWithinMinutes: { critical: 240, high: 1_440, medium: 4_320, low: 20_160 },
};
