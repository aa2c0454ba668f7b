import { countItem, notMeasured } from '../../../experiments/audit/judge-claim.ts';
import type { AuditItem } from '../../../models/contracts/audit.ts';
import { readLedger } from '../../../stores/ledger.ts';
import type { AuditInput, SectionCheck } from '../section.ts';

/** Whoever writes entries that is no person; runs and workflows do by their ids, which have a slash. */
const machines = new Set(['release', 'retention', 'audit', 'schedule', 'bootstrap', 'understudy', 'watch', 'root-cause', 'escalation', 'charter']);
/** A release publishes under its own id. */
const isMachine = ({ by, releaseId }: { by: string; releaseId: string | null }): boolean => machines.has(by) || by.includes('/') || by === releaseId;

/** Who did something since the last audit, and what would be needed to prove it. */
export const access: SectionCheck = {
  name: 'access',
  title: 'Access',
  async examine(input) {
    return { items: [await strangers(input), ...keys(input)] };
  },
};

async function strangers({ context, surface, charter, sinceMs }: AuditInput): Promise<AuditItem> {
  const answering = Object.values(charter.escalation?.owners ?? {}).flat();
  const known = new Set([...charter.owners, ...charter.release.approvers.map(({ name }) => name), ...answering]);
  const entries = (await readLedger(context.state.generations, surface)).filter(({ atMs }) => sinceMs === null || atMs >= sinceMs);
  const others = [...new Set(entries.filter((entry) => !isMachine(entry)).map(({ by }) => by))].filter((by) => !known.has(by)).sort();
  return countItem({
    id: 'access/strangers',
    claim: 'Only owners and approvers of the charter did something that is in the ledger',
    count: others.length,
    says: others.length === 0 ? `${entries.length} entries, all by those whom the charter names` : `also ${others.join(', ')}, whom the charter does not name`,
  });
}

function keys({ keys: own, charter }: AuditInput): AuditItem[] {
  if (own === null) return [notMeasured({ id: 'access/keys', claim: 'There are keys', why: 'only a worker knows which keys it has' })];
  const keyless = charter.release.approvers.filter(({ name }) => own.approverKeys[name] === undefined).map(({ name }) => name);
  const item = (id: string, claim: string, missing: readonly string[], says: string): AuditItem => {
    const counted = countItem({ id, claim, count: missing.length, says });
    return counted.status === 'broken' ? { ...counted, status: 'weakened' } : counted;
  };
  return [
    item(
      'access/approver-keys',
      'Every approver signs with a key',
      keyless,
      keyless.length === 0 ? 'all of them have one' : `${keyless.join(', ')} can be named by anybody who reaches the server`,
    ),
    item(
      'access/signing-key',
      'Certificates and records are signed',
      own.signingKey === null ? ['signing key'] : [],
      own.signingKey === null ? 'UNDERSTUDY_SIGNING_KEY is not set' : 'there is a key',
    ),
    item(
      'access/serving-key',
      "The serving tier's admin routes want a key",
      own.servingKey === null ? ['serving key'] : [],
      own.servingKey === null ? 'UNDERSTUDY_ADMIN_KEY is not set: they answer on this machine alone' : 'they do',
    ),
  ];
}
