import { artifactManifest } from '../../models/contracts/artifact.ts';
import { type EmbeddingSet, embeddingSet } from '../../models/contracts/embedding-set.ts';
import type { Digest } from '../../models/contracts/ids.ts';
import { asUnderstudyError } from '../../models/contracts/problem.ts';
import { getDocument } from '../../stores/blobs.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import type { State } from '../context.ts';
import { listRuns } from '../registry/runs.ts';

/** `artifacts`: all that name it, each of them once. */
export type ListedSet = {
  version: Digest;
  /** Null where it cannot be read: `problem` says why. */
  set: EmbeddingSet | null;
  problem: string | null;
  madeBy: { candidate: string; runId: string } | null;
  artifacts: { artifact: Digest; candidate: string; runId: string; serves: boolean }[];
  serves: boolean;
};

/** The embedding sets of a surface that its runs made or were made over, the oldest first. */
export async function listSets(state: State, surface: string): Promise<ListedSet[]> {
  const champion = (await latestDeployment(state.generations, surface))?.champion;
  const listed = new Map<Digest, ListedSet>();
  for (const { artifact, candidate, runId, window, recipe } of await listRuns(state, surface)) {
    const manifest = await getDocument(state.blobs, artifact, artifactManifest).catch(() => undefined);
    if (manifest?.embeddings === undefined) continue;
    const one = listed.get(manifest.embeddings) ?? (await newlyListed(state, manifest.embeddings));
    listed.set(one.version, one);
    if (one.set?.madeBy.window === window && one.set.madeBy.recipe === recipe) one.madeBy = { candidate, runId };
    const serves = artifact === champion;
    if (one.artifacts.every((known) => known.artifact !== artifact)) one.artifacts.push({ artifact, candidate, runId, serves });
    if (serves) one.serves = true;
  }
  return [...listed.values()];
}

async function newlyListed({ blobs }: State, version: Digest): Promise<ListedSet> {
  const about = { version, madeBy: null, artifacts: [], serves: false };
  try {
    return { ...about, set: await getDocument(blobs, version, embeddingSet), problem: null };
  } catch (error) {
    const { code, message } = asUnderstudyError(error);
    return { ...about, set: null, problem: `${code}: ${message}` };
  }
}
