import type { AuditItem, AuditReport, Finding } from '../../models/contracts/audit.ts';

const dayMs = 86_400_000;
/** Closed findings are shown for so long. */
const keptMs = 365 * dayMs;

export type FindingRules = {
  weakenedDays: number;
  brokenDays: number;
  ownerOf: (itemId: string) => string;
  /** Up this list a finding goes. */
  escalateTo: readonly string[];
};

const isBad = ({ status }: Pick<AuditItem, 'status'>): boolean => status === 'weakened' || status === 'broken';

/**
 * Findings behind an audit. What does not hold is a finding, with the owner and the date that it has had; worse than before, its date is not later than that of what is
 * broken. What holds again is closed. What could not be measured stays as it was. What somebody accepted stays closed until then.
 */
export function findingsAfter({
  before,
  items,
  atMs,
  rules,
}: {
  before: readonly Finding[];
  items: readonly AuditItem[];
  atMs: number;
  rules: FindingRules;
}): Finding[] {
  const known = new Map(before.map((one) => [one.id, one]));
  const byId = new Map(items.map((item) => [item.id, item]));
  const opened = items.filter((item) => isBad(item) && !known.has(item.id)).map((item) => open(item, { atMs, rules }));
  const followed = before.flatMap((one): Finding[] => {
    const item = byId.get(one.id);
    const note = (what: string) => [...one.followUp, { atMs, by: 'audit', what }];
    if (one.state === 'closed') {
      if (item === undefined || !isBad(item)) return atMs - (one.followUp.at(-1)?.atMs ?? one.openedAtMs) > keptMs ? [] : [one];
      if (one.acceptedUntilMs !== null && atMs < one.acceptedUntilMs && !(item.status === 'broken' && one.status === 'weakened')) return [one];
      return [
        {
          ...open(item, { atMs, rules }),
          owner: one.owner,
          followUp: note(one.acceptedUntilMs === null ? 'it does not hold again' : 'it was accepted, and that has ended'),
        },
      ];
    }
    if (item === undefined) return [{ ...one, state: 'closed', followUp: note('nobody claims it any more') }];
    if (item.status === 'holds') return [{ ...one, state: 'closed', status: 'holds', says: item.says, followUp: note('it holds again') }];
    if (item.status === 'not-measured') return [{ ...one, followUp: note(`it could not be measured: ${item.says}`) }];
    const dueAtMs = item.status === 'broken' && one.status === 'weakened' ? Math.min(one.dueAtMs, atMs + rules.brokenDays * dayMs) : one.dueAtMs;
    return [{ ...one, claim: item.claim, status: item.status, says: item.says, dueAtMs }];
  });
  return [...followed, ...opened];
}

function open({ id, claim, status, says }: AuditItem, { atMs, rules }: { atMs: number; rules: FindingRules }): Finding {
  const days = status === 'broken' ? rules.brokenDays : rules.weakenedDays;
  return {
    id,
    claim,
    status,
    says,
    state: 'open',
    owner: rules.ownerOf(id),
    openedAtMs: atMs,
    dueAtMs: atMs + days * dayMs,
    escalations: 0,
    followUp: [],
    acceptedUntilMs: null,
  };
}

/** Findings that nobody has followed up in time go to the next of the list, and are due again after `brokenDays`; the last one keeps them. */
export function escalateOverdue({ findings, atMs, rules }: { findings: readonly Finding[]; atMs: number; rules: FindingRules }): {
  findings: Finding[];
  escalated: Finding[];
} {
  const escalated: Finding[] = [];
  const after = findings.map((one): Finding => {
    if (one.state === 'closed' || one.dueAtMs > atMs) return one;
    const owner = rules.escalateTo[Math.min(one.escalations, rules.escalateTo.length - 1)] ?? one.owner;
    const what = `not followed up by ${one.owner} in time: goes to ${owner}`;
    const next: Finding = {
      ...one,
      state: 'escalated',
      owner,
      dueAtMs: atMs + rules.brokenDays * dayMs,
      escalations: one.escalations + 1,
      followUp: [...one.followUp, { atMs, by: 'audit', what }],
    };
    escalated.push(next);
    return next;
  });
  return { findings: after, escalated };
}

/** Items whose status is another than it was, those that came or went included. */
export function changesBetween(before: readonly AuditItem[], now: readonly AuditItem[]): AuditReport['changes'] {
  const was = new Map(before.map(({ id, status }) => [id, status]));
  const is = new Map(now.map(({ id, status }) => [id, status]));
  return [...new Set([...was.keys(), ...is.keys()])].sort().flatMap((id) => {
    const [one, other] = [was.get(id) ?? null, is.get(id) ?? null];
    return one === other || before.length === 0 ? [] : [{ id, was: one, is: other }];
  });
}
