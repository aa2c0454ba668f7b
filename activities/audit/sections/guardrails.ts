import { countItem, notMeasured } from '../../../experiments/audit/judge-claim.ts';
import type { AuditItem } from '../../../models/contracts/audit.ts';
import type { StandingMark } from '../../../models/contracts/flag.ts';
import { byHand } from '../../../models/contracts/guardrail.ts';
import { openFlagReader } from '../../../stores/flags.ts';
import type { SectionCheck } from '../section.ts';

/** What is held back, by whom it is judged, and what somebody flagged and forgot. */
export const guardrails: SectionCheck = {
  name: 'guardrails',
  title: 'Flags and their sources',
  async examine({ context, surface, charter }) {
    const reader = openFlagReader({ ...context.state, surface });
    await reader.look();
    const book = reader.book();
    const nowMs = context.now();
    const sources = charter.guardrails?.sources ?? [];
    const fresh = sources.map(({ name, staleAfterMinutes }): AuditItem => {
      const newest = [...(book.get(name)?.values() ?? [])].reduce((last, { asOfMs }) => Math.max(last, asOfMs), 0);
      const late = Math.max(0, Math.floor((nowMs - newest) / 60_000 - staleAfterMinutes));
      const says = newest === 0 ? 'it has never said anything' : `its newest word is of ${new Date(newest).toISOString()}`;
      return countItem({ id: `guardrails/source-${name}`, claim: `${name} judges items at least every ${staleAfterMinutes} minutes`, count: late, says });
    });
    const endless = [...(book.get(byHand) ?? [])].filter(([, mark]) => isEndless(mark)).map(([itemId]) => itemId);
    const counted = countItem({
      id: 'guardrails/by-hand',
      claim: 'What somebody flags by hand has an end',
      count: endless.length,
      says: endless.length === 0 ? 'none stands without one' : `${endless.length} stand until somebody takes them back: ${endless.slice(0, 5).join(', ')}`,
    });
    const items = [...fresh, counted.status === 'broken' ? { ...counted, status: 'weakened' as const } : counted];
    if (sources.length === 0)
      items.push(notMeasured({ id: 'guardrails/sources', claim: 'Somebody judges whether items may be shown', why: 'the charter names no source' }));
    return { items };
  },
};

const isEndless = ({ untilMs, flags }: StandingMark): boolean => untilMs === null && Object.values(flags).some((end) => end === null);
