import type { Finding } from '../../models/contracts/audit.ts';
import type { NewEntry } from '../../stores/ledger.ts';

/** Whoever writes what nobody did by name (experiments/audit/follow-findings.ts). */
const machine = 'audit';

/** The ledger's words on what people did about findings from one list to the next. */
export function followedEntries(surface: string, before: readonly Finding[], after: readonly Finding[]): NewEntry[] {
  const known = new Map(before.map((one) => [one.id, one.followUp.length]));
  return after.flatMap(({ id, owner, followUp, acceptedUntilMs }) =>
    followUp
      .slice(known.get(id) ?? 0)
      .filter(({ by }) => by !== machine)
      .map(({ atMs, by, what }) => ({
        ...{ operationId: `finding/${surface}/${id}/${atMs}`, atMs, surface, by, releaseId: null },
        action: acceptedUntilMs === null ? 'finding-followed' : 'finding-accepted',
        detail: { message: `${id}: ${what}`, finding: id, owner, acceptUntilMs: acceptedUntilMs },
      })),
  );
}
