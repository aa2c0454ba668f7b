import { type DecayStudy, measureDecay } from '../../activities/decay/measure-decay.ts';
import { openState, readCharter, readLatest, type State } from '../../activities/context.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { listRuns } from '../../activities/registry/runs.ts';
import { freezeRecipe } from '../../activities/windows/prepare-retrain.ts';
import { decaySettings } from '../../experiments/decay/plan-decay.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import type { CandidateRecipe, Charter } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import { dataState } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';

export type DecayRequest = {
  surface: string;
  /** Of the charter; absent: the one that serves, or else the bootstrap candidate. */
  candidate?: string | undefined;
  /** No further model is trained after so many minutes. */
  minutes: number;
  /** Test weeks. */
  origins?: number | undefined;
  seed?: number | undefined;
  state?: string | undefined;
  onStep: (step: { done: number; total: number; note: string }) => void;
};

/** @throws UND-NO-DATA, UND-INPUT for a candidate that is not in the charter or is a guest */
export async function decayStudy(context: CommandContext, request: DecayRequest): Promise<DecayStudy> {
  const { surface, minutes, origins = decaySettings.origins, onStep } = request;
  const state = openState(stateDirectory(context, request.state));
  const charter = await readCharter(state.blobs, await currentCharter(state, surface));
  const data = (await readLatest(state.generations, `data/${surface}`, dataState))?.document;
  if (data === undefined) throw new UnderstudyError('UND-NO-DATA', `${surface} has no events yet: run \`understudy ingest\` first`);
  const candidate = chosen(charter, request.candidate ?? (await serving(state, surface)) ?? charter.bootstrap);
  const frozen = await freezeRecipe({ state }, charter, candidate);
  const recipe = { ...frozen, params: await trainedParams(state, frozen) };
  return measureDecay(state, {
    ...{ data, charter, settings: { ...decaySettings, origins }, onStep, now: context.now },
    recipe: candidate.warmStart === undefined ? recipe : { ...recipe, warmStart: { from: null, params: candidate.warmStart } },
    ...{ seed: request.seed ?? charter.seed, budgetMs: minutes * 60_000 },
  });
}

/** Where parameters are chosen anew for each window: those of the newest run. */
async function trainedParams(state: State, { surface, candidate, tune, params }: Recipe): Promise<Recipe['params']> {
  const newest = tune === undefined ? undefined : (await listRuns(state, surface)).findLast((run) => run.candidate === candidate);
  return newest === undefined ? params : (await getDocument(state.blobs, newest.artifact, artifactManifest)).params;
}

async function serving(state: State, surface: string): Promise<string | undefined> {
  const spec = await latestDeployment(state.generations, surface);
  if (spec === undefined) return undefined;
  const { candidate, algorithm } = await getDocument(state.blobs, spec.champion, artifactManifest);
  return algorithm === 'guest' || algorithm === 'trainer' ? undefined : candidate;
}

function chosen({ candidates, surface }: Charter, name: string): CandidateRecipe {
  const found = candidates.find((one) => one.name === name);
  if (found === undefined)
    throw new UnderstudyError('UND-INPUT', `The charter of ${surface} has no candidate ${name}; it has ${candidates.map((one) => one.name).join(', ')}`);
  if (found.embeddings !== undefined)
    throw new UnderstudyError(
      'UND-INPUT',
      `${name} is made over vectors that know the days on which its age would be measured: study ${found.embeddings.of}, which makes them, with --candidate`,
    );
  return found;
}
