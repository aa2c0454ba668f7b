import type { RunRecord } from '../../models/contracts/release.ts';
import { type DataState, windowManifest } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import type { State } from '../context.ts';
import { listRuns } from '../registry/runs.ts';

export type Dependent = Pick<RunRecord, 'runId' | 'candidate' | 'artifact' | 'createdAtMs'> & {
  /** Days of its window that are not any more what it read, and where from. */
  changed: { day: string; source: string }[];
  /** It serves now. */
  isChampion: boolean;
};

/** Runs that read another version of a slice than the one that there is now, the newest first. What a window never held concerns no run. */
export async function dependentsOf({ state, data }: { state: State; data: DataState }): Promise<Dependent[]> {
  const current = new Map(data.slices.map((slice) => [`${slice.day} ${slice.source ?? ''}`, slice.digest]));
  const champion = (await latestDeployment(state.generations, data.surface))?.champion;
  const dependents: Dependent[] = [];
  for (const run of await listRuns(state, data.surface)) {
    const { trainSlices, testSlices } = await getDocument(state.blobs, run.window, windowManifest);
    const changed = [...trainSlices, ...testSlices].filter((slice) => current.get(`${slice.day} ${slice.source ?? ''}`) !== slice.digest);
    if (changed.length === 0) continue;
    const { runId, candidate, artifact, createdAtMs } = run;
    dependents.push({
      runId,
      candidate,
      artifact,
      createdAtMs,
      changed: changed.map(({ day, source = '' }) => ({ day, source })),
      isChampion: artifact === champion,
    });
  }
  return dependents.reverse();
}
