import { countItem, notMeasured } from '../../../experiments/audit/judge-claim.ts';
import type { AuditItem } from '../../../models/contracts/audit.ts';
import { asUnderstudyError } from '../../../models/contracts/problem.ts';
import { latestDeployment } from '../../../stores/deployments.ts';
import { readLedger } from '../../../stores/ledger.ts';
import { ledgerInState } from '../../../stores/ledger-copies.ts';
import { verifyLedger } from '../../../stores/verify-ledger.ts';
import type { AuditInput, SectionCheck } from '../section.ts';

const dayMs = 86_400_000;
/** A pause is for hours. */
const pausedDays = 7;

/** The record itself, and what people ordered over it that still stands. */
export const releases: SectionCheck = {
  name: 'releases',
  title: 'The ledger, and what was overridden',
  async examine(input) {
    return { items: [await chain(input), ...(await overrides(input))] };
  },
};

async function chain({ context, surface }: AuditInput): Promise<AuditItem> {
  const id = 'releases/ledger';
  const claim = 'The ledger is as it was written';
  try {
    const entries = await readLedger(context.state.generations, surface);
    if (entries.length === 0) return countItem({ id, claim, count: 0, says: 'it has no entry yet' });
    const { fault, signedFrom } = verifyLedger(await ledgerInState({ stateDir: context.state.root, surface }));
    if (fault !== null)
      return countItem({
        id,
        claim,
        count: 1,
        says: `${fault.record === null ? 'around its records' : `record ${fault.record}`}: ${fault.what}: ${fault.why}`,
      });
    const signed = signedFrom === null ? 'not signed' : `signed from record ${signedFrom} on`;
    return countItem({ id, claim, count: 0, says: `${entries.length} entries, each of which names the one before it; ${signed}` });
  } catch (error) {
    return countItem({ id, claim, count: 1, says: asUnderstudyError(error).message });
  }
}

async function overrides({ context, surface }: AuditInput): Promise<AuditItem[]> {
  const paused = { id: 'releases/paused', claim: `No pause of releases is older than ${pausedDays} days` };
  const spec = await latestDeployment(context.state.generations, surface);
  if (spec === undefined) return [notMeasured({ ...paused, why: 'nothing serves yet' })];
  if (!spec.paused) return [countItem({ ...paused, count: 0, says: 'releases are not paused' })];
  let since = spec;
  // Back to the generation that paused it.
  for (let generation = spec.generation - 1; generation >= 1 && since.author.action !== 'pause'; generation -= 1)
    since = (await context.state.generations.read(`deployment/${surface}`, generation)) as typeof spec;
  const days = Math.floor((context.now() - since.createdAtMs) / dayMs);
  return [countItem({ ...paused, count: days, allowed: pausedDays, says: `paused for ${days} days by ${since.author.name}: ${since.author.reason}` })];
}
