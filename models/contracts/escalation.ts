import { z } from 'zod';
import { digestString, epochMs, externalId, surfaceName } from './ids.ts';

export const reportKinds = ['harmful', 'wrong', 'unfair', 'broken', 'other'] as const;
export const reportKind = z.enum(reportKinds);
export type ReportKind = z.infer<typeof reportKind>;

export const severities = ['low', 'medium', 'high', 'critical'] as const;
export const severity = z.enum(severities);
export type Severity = z.infer<typeof severity>;

/** Nobody guesses it: whoever has it may ask what became of the report. */
export const reportId = z.string().regex(/^r-[0-9a-f]{32}$/, 'r- and 32 hex digits');

const item = z.strictObject({ of: z.literal('item'), itemId: externalId });
/** By the `requestId` that came with it. */
const slate = z.strictObject({ of: z.literal('slate'), requestId: externalId });
const patternText = z.string().trim().min(1).max(2_000);
const someone = z.string().trim().min(1).max(200);
const words = z.string().max(4_000);

/** Who reports: a person as the surface knows them, so that an erasure finds them, or something by which to reach them. Kept apart from all else. */
const reporter = z.strictObject({ userId: externalId.optional(), contact: someone.optional() });
export type Reporter = z.infer<typeof reporter>;

/** POST /v1/reports. */
export const reportRequest = z.strictObject({
  surface: surfaceName,
  about: z.discriminatedUnion('of', [item, slate, z.strictObject({ of: z.literal('pattern'), pattern: patternText })]),
  kind: reportKind,
  words: words.default(''),
  reporter: reporter.default({}),
  /** The same request with the same id, sent again, is the same report. */
  operationId: externalId.optional(),
});
export type ReportRequest = z.output<typeof reportRequest>;

/** A report that is on disk and has no workflow yet. */
export const filedReport = z.strictObject({
  ...reportRequest.omit({ operationId: true }).shape,
  words,
  reporter,
  id: reportId,
  /** Said by somebody of the house; otherwise it follows from the kind. */
  severity: severity.nullable(),
  filedAtMs: epochMs,
});
export type FiledReport = z.infer<typeof filedReport>;

/** A blob: all of a report that may be about people. What erases them erases it. */
export const reportText = z.strictObject({ kind: z.literal('report-text'), id: reportId, words, pattern: patternText.nullable(), ...reporter.shape });
export type ReportText = z.infer<typeof reportText>;

export const reportStates = ['open', 'acknowledged', 'resolved', 'rejected', 'duplicate'] as const;
export type ReportState = (typeof reportStates)[number];

export const reportBlock = z.discriminatedUnion('state', [
  /** The charter asks for none, or it is a duplicate. */
  z.strictObject({ state: z.literal('none') }),
  /** The charter asks for it, and it is under way. */
  z.strictObject({ state: z.literal('due') }),
  z.strictObject({ state: z.literal('blocked'), atMs: epochMs }),
  z.strictObject({ state: z.literal('not-blocked'), why: z.string() }),
  z.strictObject({ state: z.literal('lifted'), atMs: epochMs }),
]);

export const reportSteps = [
  'opened',
  'attached',
  'blocked',
  'not-blocked',
  'lifted',
  'escalated',
  'overdue',
  'acknowledged',
  'reassigned',
  'resolved',
  'rejected',
] as const;

/** A generation of `escalation/<surface>/<id>`: a report as it stands, without a word of whoever reported. */
export const report = z.strictObject({
  kind: z.literal('report'),
  id: reportId,
  surface: surfaceName,
  generation: z.number().int().min(1),
  about: z.discriminatedUnion('of', [item, slate, z.strictObject({ of: z.literal('pattern') })]),
  reportKind,
  severity,
  /** Digest of its `report-text`. */
  text: digestString,
  state: z.enum(reportStates),
  /** The open report about the same that this one is attached to. */
  duplicateOf: reportId.nullable(),
  /** Of `escalation-case/<surface>/<caseId>`; null for a pattern, which is like no other. */
  caseId: z.string().nullable(),
  /** Reports about the same, this one among them; counted when it was closed. */
  count: z.number().int().min(1).nullable(),
  block: reportBlock,
  owner: someone,
  /** How far up the charter's list it has gone. */
  level: z.number().int().min(0),
  filedAtMs: epochMs,
  openedAtMs: epochMs,
  acknowledgedAtMs: epochMs.nullable(),
  closedAtMs: epochMs.nullable(),
  /** Null: nobody is left to go to, or it is done. */
  acknowledgeByMs: epochMs.nullable(),
  resolveByMs: epochMs.nullable(),
  /** Deadlines that were missed. */
  missed: z.number().int().min(0),
  /** What the reporter is told of the end. */
  outcome: z.string().nullable(),
  steps: z.array(z.strictObject({ atMs: epochMs, by: someone, what: z.enum(reportSteps), why: z.string(), operation: z.string().nullable() })).min(1),
});
export type Report = z.infer<typeof report>;

/** A generation of `escalation-case/<surface>/<caseId>`: which open report about something the next ones are attached to. */
export const reportCase = z.strictObject({
  kind: z.literal('report-case'),
  generation: z.number().int().min(1),
  primary: reportId,
  /** Who wrote this number. */
  report: reportId,
  open: z.boolean(),
  count: z.number().int().min(1),
});
export type ReportCase = z.infer<typeof reportCase>;

export const stepKinds = ['acknowledge', 'reassign', 'resolve', 'reject'] as const;

/** What somebody does about a report. */
export const reportStep = z.strictObject({
  do: z.enum(stepKinds),
  by: someone,
  /** For the ledger. */
  why: z.string().trim().min(1).max(1_000),
  /** The new owner, where it is reassigned. */
  to: someone.optional(),
  /** What the reporter is told, where it ends. */
  tell: z.string().trim().min(1).max(1_000).optional(),
  proof: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('unauthenticated') }),
    z.strictObject({ kind: z.literal('hmac-sha256'), signature: z.string().regex(/^[0-9a-f]{64}$/) }),
  ]),
});
export type ReportStep = z.infer<typeof reportStep>;
type Signed = Omit<ReportStep, 'proof'> & { surface: string; id: string };

/** What is signed of a step. */
export const stepText = ({ surface, id, do: what, by, why, to, tell }: Signed): string =>
  JSON.stringify(['report-step', surface, id, what, by, why, to ?? null, tell ?? null]);

/** What its reporter is told of a report, and nothing else. */
export const reportAnswer = z.strictObject({
  id: reportId,
  state: z.enum(['received', 'open', 'acknowledged', 'resolved', 'rejected']),
  outcome: z.string().nullable(),
});
export type ReportAnswer = z.infer<typeof reportAnswer>;

/** What a report's workflow goes by. `dueAtMs`: when the next deadline is missed; null where none is set. `tell`: there is somebody to be told of it. */
export type ReportStanding = { state: ReportState; generation: number; owner: string; dueAtMs: number | null; block: boolean; lift: boolean; tell: boolean };
export type StepResult = { accepted: boolean; code: string | null; message: string; standing: ReportStanding };
type Of = { surface: string; id: string };

export interface EscalationActivities {
  openReport(input: Of): Promise<ReportStanding>;
  blockItem(input: Of): Promise<ReportStanding>;
  liftBlock(input: Of): Promise<ReportStanding>;
  missDeadline(input: Of & { generation: number }): Promise<ReportStanding>;
  takeReportStep(input: Of & { step: ReportStep; operation: string }): Promise<StepResult>;
  tellOwner(input: Of & { generation: number }): Promise<{ told: boolean; why: string }>;
}
