import type { FiledReport, Report, ReportStanding, ReportStep } from '../../models/contracts/escalation.ts';
import type { ProblemCode } from '../../models/contracts/problem.ts';
import type { ReportRules } from './rules.ts';

/* What a report becomes, as functions of how it stands: no clock, no disk. */

type Step = Report['steps'][number];
type What = Step['what'];

/** Whoever does what nobody did by name. */
export const machine = 'escalation';

const isOver = ({ state }: Pick<Report, 'state'>) => state === 'resolved' || state === 'rejected' || state === 'duplicate';

/** The next generation, one step on. */
function stepped(report: Report, step: Omit<Step, 'operation'> & { operation?: string }, change: Partial<Report> = {}): Report {
  return { ...report, ...change, generation: report.generation + 1, steps: [...report.steps, { operation: null, ...step }] };
}

type Opening = { filed: FiledReport; rules: ReportRules; text: string; caseId: string | null; primary: string; atMs: number };

/** Generation 1 of a report: open and somebody's, or attached to the one about the same that is open already. */
export function openedReport({ filed, rules, text, caseId, primary, atMs }: Opening): Report {
  const { id, surface, about, kind, filedAtMs } = filed;
  const severity = severityOf(filed, rules);
  const duplicate = primary !== id;
  const [owner = machine] = rules.ownersOf(severity);
  const common = {
    ...{
      kind: 'report' as const,
      id,
      surface,
      generation: 1,
      reportKind: kind,
      severity,
      text,
      caseId,
      owner,
      level: 0,
      filedAtMs,
      openedAtMs: atMs,
      missed: 0,
    },
    about: about.of === 'pattern' ? { of: about.of } : about,
    ...{ acknowledgedAtMs: null, count: null, outcome: null },
  };
  const step = (what: What, why: string): Step[] => [{ atMs, by: machine, what, why, operation: null }];
  if (duplicate)
    return {
      ...{ ...common, state: 'duplicate', duplicateOf: primary, block: { state: 'none' }, closedAtMs: atMs, acknowledgeByMs: null, resolveByMs: null },
      steps: step('attached', `as ${primary}`),
    };
  const isBlocked = rules.blocksAtOnce({ severity, kind });
  const noItem = { state: 'not-blocked', why: `a ${about.of} is no item: flag the items that are meant` } as const;
  return {
    ...{ ...common, state: 'open', duplicateOf: null, closedAtMs: null },
    block: isBlocked ? (about.of === 'item' ? { state: 'due' } : noItem) : { state: 'none' },
    ...{ acknowledgeByMs: atMs + rules.acknowledgeMs(severity), resolveByMs: atMs + rules.resolveMs(severity) },
    steps: step('opened', `${owner}'s`),
  };
}

export const severityOf = ({ severity, kind }: Pick<FiledReport, 'severity' | 'kind'>, rules: ReportRules) => severity ?? rules.severityOf(kind);

/** When the next deadline is missed; null where none is set. */
export function dueAt(report: Pick<Report, 'state' | 'acknowledgeByMs' | 'resolveByMs'>): number | null {
  if (isOver(report)) return null;
  const dueMs = [report.state === 'open' ? report.acknowledgeByMs : null, report.resolveByMs].filter((one) => one !== null);
  return dueMs.length === 0 ? null : Math.min(...dueMs);
}

/**
 * A deadline has passed: the report is the next one's up the list, who has to acknowledge it, or, where nobody is left, it is overdue and that deadline is set
 * no more. So a report that nobody ever answers comes to rest. Undefined where none has.
 */
export function missedDeadline(report: Report, { rules, atMs }: { rules: ReportRules; atMs: number }): Report | undefined {
  const dueMs = dueAt(report);
  if (dueMs === null || dueMs > atMs) return undefined;
  const { severity, owner, level, resolveByMs } = report;
  const isUnresolved = resolveByMs !== null && resolveByMs <= atMs;
  const why = `${owner} has not ${isUnresolved ? 'resolved' : 'acknowledged'} it in time`;
  const next = rules.ownersOf(severity)[level + 1];
  const missed = report.missed + 1;
  if (next === undefined) {
    const left = { acknowledgeByMs: isUnresolved ? report.acknowledgeByMs : null, resolveByMs: isUnresolved ? null : resolveByMs };
    return stepped(report, { atMs, by: machine, what: 'overdue', why: `${why}, and nobody is left to go to` }, { ...left, missed });
  }
  return stepped(
    report,
    { atMs, by: machine, what: 'escalated', why: `${why}: now ${next}'s` },
    {
      ...{ state: 'open', owner: next, level: level + 1, missed, acknowledgeByMs: atMs + rules.acknowledgeMs(severity) },
      resolveByMs: isUnresolved ? atMs + rules.resolveMs(severity) : resolveByMs,
    },
  );
}

export function blockTried(report: Report, { atMs, failure }: { atMs: number; failure: string | null }): Report {
  if (failure !== null) return stepped(report, { atMs, by: machine, what: 'not-blocked', why: failure }, { block: { state: 'not-blocked', why: failure } });
  return stepped(report, { atMs, by: machine, what: 'blocked', why: 'at once, as the charter says' }, { block: { state: 'blocked', atMs } });
}

export const blockLifted = (report: Report, { atMs }: { atMs: number }): Report =>
  stepped(report, { atMs, by: machine, what: 'lifted', why: 'the report was rejected' }, { block: { state: 'lifted', atMs } });

export type Refusal = { code: ProblemCode; message: string };
type Doing = { step: ReportStep; operation: string; rules: ReportRules; atMs: number };

/** Why somebody cannot do this now; null where they can. */
export function refuseStep(report: Report, { step, rules }: Pick<Doing, 'step' | 'rules'>): Refusal | null {
  const { people } = rules;
  if (!people.has(step.by)) return { code: 'UND-NOT-APPROVER', message: `${step.by} is not one of ${[...people].join(', ')}` };
  const is = report.state === 'duplicate' ? `a duplicate of ${report.duplicateOf}` : report.state;
  if (isOver(report)) return { code: 'UND-NO-REQUEST', message: `The report ${report.id} is ${is}` };
  if (step.do === 'acknowledge' && report.state === 'acknowledged')
    return { code: 'UND-NO-REQUEST', message: `${report.owner} has acknowledged the report ${report.id}` };
  if (step.do !== 'reassign') return null;
  if (step.to === undefined) return { code: 'UND-INPUT', message: 'Say whose it is from now on' };
  if (!people.has(step.to)) return { code: 'UND-INPUT', message: `${step.to} could do nothing about it: ${[...people].join(', ')} can` };
  return null;
}

const told = {
  resolve: 'We have looked into it and acted on it. Thank you.',
  reject: 'We have looked into it and found nothing to change.',
};

/** What somebody did, where `refuseStep` says nothing. Whoever acknowledges it has it from then on. */
export function afterStep(report: Report, { step, operation, rules, atMs, count }: Doing & { count: number | null }): Report {
  const { by, why } = step;
  const done = { atMs, by, why, operation };
  const { severity } = report;
  switch (step.do) {
    case 'acknowledge':
      return stepped(report, { ...done, what: 'acknowledged' }, { state: 'acknowledged', owner: by, acknowledgedAtMs: report.acknowledgedAtMs ?? atMs });
    case 'reassign':
      return stepped(
        report,
        { ...done, what: 'reassigned' },
        { state: 'open', owner: step.to ?? report.owner, acknowledgeByMs: atMs + rules.acknowledgeMs(severity) },
      );
    default: {
      const outcome = step.tell ?? told[step.do];
      const state = step.do === 'resolve' ? 'resolved' : 'rejected';
      return stepped(report, { ...done, what: state }, { state, outcome, count, closedAtMs: atMs });
    }
  }
}

/** Whose owner is told of it: of what is new to them. What is blocked at once is told with that. */
const news: ReadonlySet<What> = new Set(['opened', 'blocked', 'not-blocked', 'escalated', 'overdue', 'reassigned']);

export function standingOf(report: Report, { canTell }: { canTell: boolean }): ReportStanding {
  const { state, generation, owner, block, steps } = report;
  const what = steps.at(-1)?.what;
  return {
    ...{ state, generation, owner, dueAtMs: dueAt(report) },
    block: block.state === 'due',
    lift: state === 'rejected' && block.state === 'blocked',
    tell: canTell && what !== undefined && news.has(what) && block.state !== 'due',
  };
}
