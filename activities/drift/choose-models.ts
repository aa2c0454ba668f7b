import type { State } from '../context.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { requireRunOf } from '../registry/runs.ts';

/**
 * The artifacts of two runs; where they are not named, the champion and the one before it.
 * @returns null where no other has been champion
 * @throws UND-NOT-FOUND for a run that is not there
 */
export async function chooseModels(
  state: State,
  { surface, from, to }: { surface: string; from?: string | undefined; to?: string | undefined },
): Promise<{ from: string; to: string } | null> {
  const artifactOf = async (runId: string) => (await requireRunOf(state, surface, runId)).artifact;
  const spec = await latestDeployment(state.generations, surface);
  const older = from === undefined ? spec?.previousChampion : await artifactOf(from);
  const newer = to === undefined ? spec?.champion : await artifactOf(to);
  return older === undefined || older === null || newer === undefined ? null : { from: older, to: newer };
}
