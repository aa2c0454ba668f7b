import { countItem } from '../../../experiments/audit/judge-claim.ts';
import type { Report } from '../../../models/contracts/escalation.ts';
import { readFiled, waitingReports } from '../../../stores/report-inbox.ts';
import { readReports } from '../../../stores/reports.ts';
import { dueAt } from '../../escalation/report-steps.ts';
import type { AuditInput, SectionCheck } from '../section.ts';

const minuteMs = 60_000;
/** Workers take up what is filed within seconds. */
const takenUpWithinMinutes = 10;

/** Whether whoever reported something was answered in time. */
export const reports: SectionCheck = {
  name: 'reports',
  title: 'Reports',
  async examine({ context, surface, sinceMs }: AuditInput) {
    const { state, now } = context;
    const all = (await readReports(state.generations, surface)).filter((one) => one.state !== 'duplicate');
    const open = all.filter((one) => one.state === 'open' || one.state === 'acknowledged');
    // Of those that were open at some time since the last audit.
    const recent = all.filter((one) => sinceMs === null || one.closedAtMs === null || one.closedAtMs >= sinceMs);
    const late = recent.filter((one) => one.missed > 0);
    const left = open.filter((one) => (dueAt(one) ?? 0) <= now());
    const unblocked = open.filter((one) => one.block.state === 'not-blocked' || one.block.state === 'due');
    const waiting = [];
    for (const one of (await waitingReports(state.root)).filter((waits) => waits.surface === surface)) {
      const filed = await readFiled(state.root, one);
      if (filed !== undefined && now() - filed.filedAtMs > takenUpWithinMinutes * minuteMs) waiting.push(one);
    }
    const named = (some: readonly Pick<Report, 'id'>[], none: string) =>
      some.length === 0
        ? none
        : some
            .slice(0, 5)
            .map(({ id }) => id)
            .join(', ') + (some.length > 5 ? ` and ${some.length - 5} more` : '');
    return {
      items: [
        countItem({
          id: 'reports/in-time',
          claim: 'Reports are acknowledged and resolved in the time that the charter sets',
          count: late.length,
          says: `${recent.length} since the last audit; ${named(late, 'no deadline was missed')}`,
        }),
        countItem({
          id: 'reports/answered',
          claim: 'No open report is overdue, with nobody left to go to',
          count: left.length,
          says: `${open.length} are open; ${named(left, 'all of them have a deadline to come')}`,
        }),
        countItem({
          id: 'reports/blocked',
          claim: 'What is to be blocked at once is blocked while its report is open',
          count: unblocked.length,
          says: named(unblocked, 'so it is'),
        }),
        countItem({
          id: 'reports/taken-up',
          claim: `A report that is filed is taken up within ${takenUpWithinMinutes} minutes`,
          count: waiting.length,
          says: named(waiting, 'none waits'),
        }),
      ],
    };
  },
};
