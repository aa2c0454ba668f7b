import { countItem, notMeasured } from '../../../experiments/audit/judge-claim.ts';
import type { AuditItem } from '../../../models/contracts/audit.ts';
import { cutoffsOf } from '../../privacy/cutoffs.ts';
import { pendingRequests } from '../../privacy/erasure-files.ts';
import { dayIn } from '../../windows/days.ts';
import type { AuditInput, SectionCheck } from '../section.ts';

const dayMs = 86_400_000;
/** "Without undue delay and in any event within one month": GDPR, article 12 (3). */
const erasedWithinDays = 30;

/** What is kept for longer than the charter says, and who waits to be forgotten. */
export const retention: SectionCheck = {
  name: 'retention',
  title: 'Retention and erasure',
  async examine(input) {
    return { items: [...(await keptTooLong(input)), await backlog(input)] };
  },
};

async function keptTooLong({ context, charter, data, surface }: AuditInput): Promise<AuditItem[]> {
  const kept = { id: 'retention/data', claim: 'No day of data is older than the charter keeps' };
  if (charter.retention === undefined) return [notMeasured({ ...kept, why: 'the charter has no `retention`: everything is kept, for ever' })];
  const cutoffs = cutoffsOf({ retention: charter.retention, timeZone: charter.timeZone, nowMs: context.now() });
  const oldest = dayIn(charter.timeZone, Math.min(...Object.values(cutoffs.events)));
  const days = new Set((data?.slices ?? []).filter(({ day, rows }) => rows > 0 && day < oldest).map(({ day }) => day));
  const quarantine = (data?.quarantine ?? []).filter(({ sinceMs }) => sinceMs !== undefined && sinceMs < cutoffs.quarantine);
  const slates = await oldestSlate(context.state.logReader(surface, 'slates'));
  const late = slates === undefined ? 0 : Math.max(0, Math.floor((cutoffs.slates - slates) / dayMs));
  return [
    countItem({
      ...kept,
      count: days.size,
      says: days.size === 0 ? `the oldest day is not before ${oldest}` : `${days.size} days are older than ${oldest}: run \`understudy retention ${surface}\``,
    }),
    countItem({
      id: 'retention/quarantine',
      claim: 'What is put aside does not stay for longer than the charter says',
      count: quarantine.length,
      says: `${quarantine.length} quarantines are too old`,
    }),
    // Retention runs once a day: so much later a record is gone.
    countItem({
      id: 'retention/slates',
      claim: 'No slate record is older than the charter keeps',
      count: late,
      allowed: 1,
      says: slates === undefined ? 'there are none' : `the oldest is of ${new Date(slates).toISOString()}`,
    }),
  ];
}

/** Of the first sealed segment: segments are in order. */
async function oldestSlate(reader: ReturnType<AuditInput['context']['state']['logReader']>): Promise<number | undefined> {
  for (const segment of await reader.sealed())
    for await (const record of reader.read([segment])) {
      const { atMs } = record as { atMs?: unknown };
      if (typeof atMs === 'number') return atMs;
    }
  return undefined;
}

async function backlog({ context }: AuditInput): Promise<AuditItem> {
  const waiting = await pendingRequests(context.state.root);
  const ages = waiting.map(({ requestedAtMs }) => Math.floor((context.now() - requestedAtMs) / dayMs));
  const oldest = Math.max(0, ...ages);
  const late = ages.filter((age) => age >= erasedWithinDays).length;
  const item = countItem({
    id: 'retention/erasures',
    claim: `Whoever asks to be forgotten is forgotten within ${erasedWithinDays} days`,
    count: late,
    says: waiting.length === 0 ? 'nobody waits' : `${waiting.length} wait, the longest for ${oldest} days`,
  });
  return item.status === 'holds' && oldest >= erasedWithinDays / 2 ? { ...item, status: 'weakened' } : item;
}
