import { escalateOverdue } from '../../experiments/audit/follow-findings.ts';
import { type Finding, type FindingList, type FollowUp, findingList } from '../../models/contracts/audit.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { appendLedger, appendLedgerIfPossible } from '../../stores/ledger.ts';
import { type Context, readCharter, readLatest } from '../context.ts';
import { currentCharter } from '../registry/charters.ts';
import { followedEntries } from './followed-entries.ts';
import { missedAudit } from './missed-audit.ts';
import { findingRulesOf } from './run-audit.ts';

type FollowContext = Pick<Context, 'state' | 'now' | 'log' | 'alerts'>;

/** Writes the next generation of a surface's findings; asked again, with those that came first, when another was faster. */
async function change(context: FollowContext, surface: string, make: (before: readonly Finding[]) => Finding[] | undefined): Promise<Finding[] | undefined> {
  const { generations } = context.state;
  for (;;) {
    const before = await readLatest(generations, `findings/${surface}`, findingList);
    const findings = make(before?.document.findings ?? []);
    if (findings === undefined) return undefined;
    const list: FindingList = { kind: 'findings', surface, generation: (before?.generation ?? 0) + 1, findings };
    try {
      await generations.create(`findings/${surface}`, list.generation, findingList.parse(list));
      return findings;
    } catch (error) {
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

/** Findings that are overdue go up the charter's list; and says whether an audit is missing, which is an alert. The same day again changes nothing. */
export async function followUpFindings(context: FollowContext, { surface }: { surface: string }): Promise<FollowUp> {
  const { state } = context;
  const charter = await readCharter(state.blobs, await currentCharter(state, surface));
  const rules = findingRulesOf(charter);
  const atMs = context.now();
  let escalated: Finding[] = [];
  await change(context, surface, (before) => {
    const result = escalateOverdue({ findings: before, atMs, rules });
    ({ escalated } = result);
    return escalated.length === 0 ? undefined : result.findings;
  });
  for (const { id, owner, escalations, says } of escalated) {
    context.log(`${surface} finding ${id} is overdue and goes to ${owner}: ${says}`);
    await appendLedger(state.generations, {
      operationId: `finding/${surface}/${id}/${atMs}/${escalations}`,
      atMs,
      surface,
      action: 'finding-escalated',
      by: 'audit',
      releaseId: null,
      detail: { message: `${id} goes to ${owner}: ${says}`, finding: id },
    });
  }
  const { isMissed, sinceMs, alerts } = await missedAudit(context, { surface, charter, everyDays: rules.everyDays, atMs });
  if (isMissed)
    await appendLedger(state.generations, {
      operationId: `audit-missed/${surface}/${sinceMs ?? 0}`,
      atMs,
      surface,
      action: 'audit-missed',
      by: 'audit',
      releaseId: null,
      detail: { message: `no audit since ${sinceMs === null ? 'ever' : new Date(sinceMs).toISOString()}; one is due every ${rules.everyDays} days` },
    });
  const missed = isMissed ? { sinceMs, everyDays: rules.everyDays } : null;
  return { escalated: escalated.map(({ id, owner, dueAtMs }) => ({ id, owner, dueAtMs })), missed, alerts };
}

type Followed = { surface: string; id: string; by: string; what: string };

/**
 * Somebody did something about a finding: says so, gives it to another owner, or accepts that it does not hold until a day.
 * @param sinceMs the same, said since then, is said already
 * @throws UND-NOT-FOUND; UND-INPUT for one that is closed, or a day that has passed
 */
export async function followFinding(
  context: FollowContext,
  { surface, id, by, what, owner, acceptUntilMs, sinceMs }: Followed & { owner?: string | undefined; acceptUntilMs?: number | undefined; sinceMs?: number },
): Promise<Finding> {
  const atMs = context.now();
  if (acceptUntilMs !== undefined && acceptUntilMs <= atMs) throw new UnderstudyError('UND-INPUT', 'What is accepted is accepted until a day to come');
  const findings = await change(context, surface, (before) => {
    const found = before.find((one) => one.id === id);
    const others = before.filter(({ state }) => state !== 'closed').map((one) => one.id);
    if (found === undefined)
      throw new UnderstudyError('UND-NOT-FOUND', `${surface} has no finding ${id}${others.length === 0 ? '' : `; there are ${others.join(', ')}`}`);
    if (sinceMs !== undefined && found.followUp.some((one) => one.by === by && one.what === what && one.atMs >= sinceMs)) return undefined;
    if (found.state === 'closed') throw new UnderstudyError('UND-INPUT', `The finding ${id} is closed: the next audit opens it again if it does not hold`);
    return before.map((one) =>
      one !== found
        ? one
        : {
            ...one,
            owner: owner ?? one.owner,
            followUp: [...one.followUp, { atMs, by, what }],
            ...(acceptUntilMs === undefined ? {} : { state: 'closed' as const, acceptedUntilMs: acceptUntilMs }),
          },
    );
  });
  const known = async () => (await readLatest(context.state.generations, `findings/${surface}`, findingList))?.document.findings;
  const after = (findings ?? (await known()))?.find((one) => one.id === id) as Finding;
  for (const entry of followedEntries(surface, [], [{ ...after, followUp: after.followUp.slice(-1) }]))
    await appendLedgerIfPossible(context.state.generations, entry);
  return after;
}
