import type { Charter } from '../../models/contracts/charter.ts';
import { escalationDefaults, escalationRules } from '../../models/contracts/charter-escalation.ts';
import type { ReportKind, Severity } from '../../models/contracts/escalation.ts';
import { readCharter, type State } from '../context.ts';
import { currentCharter } from '../registry/charters.ts';

/** How a surface has its reports answered. */
export type ReportRules = {
  severityOf(kind: ReportKind): Severity;
  /** Whose they are, the first first. */
  ownersOf(severity: Severity): readonly string[];
  acknowledgeMs(severity: Severity): number;
  resolveMs(severity: Severity): number;
  blocksAtOnce(report: { severity: Severity; kind: ReportKind }): boolean;
  /** Who may do something about a report. */
  people: ReadonlySet<string>;
};

const minuteMs = 60_000;

export function reportRulesOf(charter: Charter): ReportRules {
  const said = escalationRules.parse(charter.escalation ?? {});
  const severityOf = { ...escalationDefaults.severityOf, ...said.severityOf };
  const acknowledge = { ...escalationDefaults.acknowledgeWithinMinutes, ...said.acknowledgeWithinMinutes };
  const resolve = { ...escalationDefaults.resolveWithinMinutes, ...said.resolveWithinMinutes };
  const { severities, kinds } = said.blockAtOnce;
  return {
    severityOf: (kind) => severityOf[kind],
    ownersOf: (severity) => said.owners[severity] ?? charter.owners,
    acknowledgeMs: (severity) => Math.round(acknowledge[severity] * minuteMs),
    resolveMs: (severity) => Math.round(resolve[severity] * minuteMs),
    blocksAtOnce: ({ severity, kind }) => severities.includes(severity) || kinds.includes(kind),
    people: new Set([...charter.owners, ...charter.release.approvers.map(({ name }) => name), ...Object.values(said.owners).flat()]),
  };
}

/** As the charter of now has them: who has left answers nothing more. @throws UND-UNKNOWN-SURFACE */
export async function currentRules(state: State, surface: string): Promise<ReportRules> {
  return reportRulesOf(await readCharter(state.blobs, await currentCharter(state, surface)));
}
