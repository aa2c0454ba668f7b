import { changesBetween, findingsAfter, type FindingRules } from '../../experiments/audit/follow-findings.ts';
import { notMeasured } from '../../experiments/audit/judge-claim.ts';
import {
  type AuditItem,
  type AuditReport,
  type AuditResult,
  type AuditSection,
  auditReport,
  type FindingList,
  findingList,
} from '../../models/contracts/audit.ts';
import type { FeedbackReport } from '../../models/contracts/audit-measures.ts';
import { auditRules } from '../../models/contracts/charter-audit.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { asUnderstudyError, UnderstudyError } from '../../models/contracts/problem.ts';
import { dataState } from '../../models/contracts/window.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { type Context, inScratch, readCharter, readLatest } from '../context.ts';
import { newestDays } from '../framing/open-framing.ts';
import { currentCharter } from '../registry/charters.ts';
import { measureFeedback } from './measure-feedback.ts';
import { sections } from './registry.ts';
import type { AuditInput, SectionCheck } from './section.ts';

/** What is looked at for feedback: models follow each other slowly. */
const feedbackMs = 365 * 86_400_000;

type AuditContext = AuditInput['context'];
type Keys = AuditInput['keys'];
type Draft = Omit<AuditReport, 'generation' | 'findings' | 'changes'>;

/** How the charter has findings followed up. */
export function findingRulesOf(charter: Charter): FindingRules & { everyDays: number } {
  const { ownersOf = {}, escalateTo = charter.owners, ...rest } = auditRules.parse(charter.audit ?? {});
  return { ...rest, escalateTo, ownerOf: (itemId) => ownersOf[itemId.slice(0, itemId.indexOf('/'))] ?? (charter.owners[0] as string) };
}

/**
 * Tests everything again that the surface's charter claims and promises. Unless it `writes`, nothing is written; else what sections keep of their own is. A section that cannot be examined is an item that could not be measured,
 * and why.
 * @throws UND-UNKNOWN-SURFACE
 */
export async function examineSurface(
  context: AuditContext,
  {
    surface,
    by,
    operationId,
    keys,
    writes,
    signal,
    onSection,
  }: Asked & { keys: Keys; writes: boolean; signal: AbortSignal; onSection: (name: string) => void },
): Promise<Draft> {
  const { state } = context;
  const digest = await currentCharter(state, surface);
  const charter = await readCharter(state.blobs, digest);
  const data = (await readLatest(state.generations, `data/${surface}`, dataState))?.document;
  const last = await readLatest(state.generations, `audit/${surface}`, auditReport);
  const nowMs = context.now();
  let feedback: Promise<FeedbackReport> | undefined;
  const measuredFeedback = () => (feedback ??= measureFeedback(context, { surface, charter, fromMs: Math.max(0, nowMs - feedbackMs), toMs: nowMs, signal }));
  const found = await inScratch(state, 'audit', async (workDir) => {
    const all: AuditSection[] = [];
    for (const section of sections) {
      signal.throwIfAborted();
      onSection(section.name);
      all.push(
        await examine(section, { context, keys, surface, charter, data, sinceMs: last?.document.atMs ?? null, measuredFeedback, workDir, writes, signal }),
      );
    }
    return all;
  });
  const items = found.flatMap((section) => section.items);
  const count = (status: AuditItem['status']) => items.filter((item) => item.status === status).length;
  return {
    kind: 'audit',
    surface,
    atMs: context.now(),
    by,
    operationId,
    charter: digest,
    data: data === undefined || data.slices.every(({ rows }) => rows === 0) ? null : { generation: data.generation, ...newestDays(data, 36_500) },
    sections: found,
    counts: { holds: count('holds'), weakened: count('weakened'), broken: count('broken'), 'not-measured': count('not-measured') },
  };
}

async function examine({ name, title, examine: run }: SectionCheck, input: AuditInput): Promise<AuditSection> {
  try {
    const { items, pictures = [] } = await run(input);
    return { name, title, items, pictures };
  } catch (error) {
    input.signal.throwIfAborted();
    const { code, message } = asUnderstudyError(error);
    return { name, title, items: [notMeasured({ id: `${name}/examined`, claim: `${title} can be examined`, why: `${code}: ${message}` })], pictures: [] };
  }
}

/** What the last audit would have been followed by: changes and findings, with nothing written. */
export async function concludeAudit(context: AuditContext, draft: Draft): Promise<AuditReport & { findingsGeneration: number }> {
  const { generations, blobs } = context.state;
  const { surface, atMs } = draft;
  const last = await readLatest(generations, `audit/${surface}`, auditReport);
  const before = await readLatest(generations, `findings/${surface}`, findingList);
  const items = draft.sections.flatMap((section) => section.items);
  const rules = findingRulesOf(await readCharter(blobs, draft.charter));
  return {
    ...draft,
    generation: (last?.generation ?? 0) + 1,
    changes: changesBetween(last?.document.sections.flatMap((section) => section.items) ?? [], items),
    findings: findingsAfter({ before: before?.document.findings ?? [], items, atMs, rules }),
    findingsGeneration: (before?.generation ?? 0) + 1,
  };
}

/** `operationId`: of the same audit, however often it is tried. */
type Asked = { surface: string; by: string; operationId: string };

/**
 * Audits a surface: the report is the next generation of `audit/<surface>`, what does not hold a finding in `findings/<surface>`, and the ledger says so.
 * One that was written and could not be answered is found again.
 * @throws UND-UNKNOWN-SURFACE
 */
export async function runAudit(
  context: Context,
  { surface, by, operationId }: Asked,
  { signal, onSection }: { signal: AbortSignal; onSection: (name: string) => void },
): Promise<AuditResult> {
  const { generations } = context.state;
  const before = (await readLatest(generations, `audit/${surface}`, auditReport))?.document;
  if (before?.operationId === operationId) return record(context, before);
  const { approverKeys, servingKey, signingKey } = context;
  const draft = await examineSurface(context, { surface, by, operationId, keys: { approverKeys, servingKey, signingKey }, writes: true, signal, onSection });
  for (;;) {
    const { findingsGeneration, ...report } = await concludeAudit(context, draft);
    try {
      const list: FindingList = { kind: 'findings', surface, generation: findingsGeneration, findings: report.findings };
      await generations.create(`findings/${surface}`, findingsGeneration, findingList.parse(list));
      await generations.create(`audit/${surface}`, report.generation, auditReport.parse(report));
    } catch (error) {
      if (error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN') continue;
      throw error;
    }
    return record(context, report);
  }
}

async function record({ state, log }: Context, { surface, generation, counts, findings, atMs, by, operationId }: AuditReport): Promise<AuditResult> {
  const open = findings.filter(({ state: own }) => own !== 'closed');
  const fresh = open.filter(({ openedAtMs }) => openedAtMs === atMs);
  const message = `${counts.broken} broken, ${counts.weakened} weakened, ${counts.holds} hold, ${counts['not-measured']} not measured; ${fresh.length} new findings`;
  await appendLedger(state.generations, { operationId, atMs, surface, action: 'audited', by, releaseId: null, detail: { message, audit: generation } });
  for (const { id, owner, says } of fresh) log(`${surface} finding ${id}, ${owner}'s: ${says}`);
  return { surface, generation, counts, findings: { open: open.length, new: fresh.length } };
}
