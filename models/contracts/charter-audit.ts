import { z } from 'zod';

const days = z.number().int().min(1).max(730);

export const auditDefaults = { everyDays: 30, weakenedDays: 30, brokenDays: 14, retrainings: 3 };

/** How often the surface is audited, and how long what an audit finds may stay. */
export const auditRules = z.strictObject({
  /** An audit that is later than this is missed. */
  everyDays: days.default(auditDefaults.everyDays),
  weakenedDays: days.default(auditDefaults.weakenedDays),
  brokenDays: days.default(auditDefaults.brokenDays),
  /** Trainings of the champion before, with other seeds, that an audit has made where they are missing: what differs among them is no drift. 0: none are made. */
  retrainings: z.number().int().min(0).max(19).default(auditDefaults.retrainings),
  /** Whose findings are by section of the audit; those of other sections are the first owner's. */
  ownersOf: z.record(z.string(), z.string().min(1)).optional(),
  /** Up this list a finding goes that nobody has followed up in time, one after each `brokenDays`. Absent: the charter's owners. */
  escalateTo: z.array(z.string().min(1)).min(1).optional(),
});
