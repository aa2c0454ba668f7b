import type { ProposedMend, RootCauseFacts } from '../../models/contracts/root-cause.ts';
import { dataState, type QuarantineEntry } from '../../models/contracts/window.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { hasFeatures } from '../../stores/features/open-features.ts';
import { readReplicaReport } from '../../stores/replicas.ts';
import { type Context, readLatest } from '../context.ts';
import { registeredViews } from '../features/register-view.ts';

type About = { surface: string; mend: ProposedMend; facts: Pick<RootCauseFacts, 'model'> };
type Where = Pick<Context, 'state' | 'featuresUrl'>;

/** Why a mend cannot be done as things stand, so that nobody is asked for nothing; null where it can. */
export async function objectionTo(context: Where, { surface, mend, facts }: About): Promise<string | null> {
  const { state } = context;
  switch (mend.action) {
    case 'rollback': {
      const spec = await latestDeployment(state.generations, surface);
      if (spec?.previousChampion == null) return 'there is no earlier champion to go back to';
      return facts.model !== null && spec.champion !== facts.model.artifact ? 'another champion is live by now' : null;
    }
    case 'pause-releases':
      return (await latestDeployment(state.generations, surface))?.paused === true ? 'releases are paused already' : null;
    case 'drain-replica':
      return mend.target === null || (await readReplicaReport(state.root, mend.target)) === undefined ? `no replica ${mend.target} reports itself` : null;
    case 'replay-quarantine':
      return (await quarantineOf(context, { surface, target: mend.target })).length === 0 ? 'nothing is put aside any more' : null;
    case 'refresh-features': {
      const filled = await hasFeatures({ stateDir: state.root, url: context.featuresUrl ?? undefined });
      return filled && (await registeredViews(state, surface)).length > 0 ? null : 'the surface has no feature views that are served';
    }
    case 'rebuild-window':
      return (await state.generations.latest(`data/${surface}`)) === undefined ? 'the surface has no data to train on' : null;
    case 'block-items':
      return 'who is to say so is a person: `understudy flags set ITEM`, where the charter has guardrails, or `scope.excludeItems` of the charter';
  }
}

/** What is put aside for a reason, or of a source; all where neither is named. */
export async function quarantineOf(
  { state }: Pick<Context, 'state'>,
  { surface, target }: { surface: string; target: string | null },
): Promise<QuarantineEntry[]> {
  const data = await readLatest(state.generations, `data/${surface}`, dataState);
  return (data?.document.quarantine ?? []).filter(({ source, reasons }) => target === null || source === target || (reasons[target] ?? 0) > 0);
}
