import type { ArtifactManifest } from '../../models/contracts/artifact.ts';
import { recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import type { RunRecord } from '../../models/contracts/release.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import { loadArtifact } from '../../stores/artifacts.ts';
import type { Evaluated, RerunDifference, RerunStage, Trained } from '../api.ts';
import type { State } from '../context.ts';
import { firstDifference, largestDifference } from './differences.ts';
import type { Making } from './making.ts';

/** What is compared. Pairs: the run's, and the rerun's; null where it is not recorded or cannot be read any more. */
export type Sides = {
  state: State;
  run: RunRecord;
  again: { trained: Trained; evaluated: Evaluated };
  readable: <T>(digest: string | null | undefined, schema: { parse(input: unknown): T }) => Promise<T | null>;
  training: readonly [Making | null, Making | null];
  evaluation: readonly [Making | null, Making | null];
  artifacts: readonly [ArtifactManifest | null, ArtifactManifest | null];
};

export type Stage = RerunStage & {
  /** Where in the stage: `/files/recommend.onnx: "a" became "b"`. */
  at?: string;
  /** What in it says that the data, or a parameter, are the cause. */
  data?: string;
  parameter?: string;
  largest?: RerunDifference['largest'];
};

export const notRecorded = (stage: string): Stage => ({ stage, status: 'not-recorded', detail: 'not recorded then' });

/** The stage whose digests the two makings hold. */
export function digestStage({ stage, name, makings }: { stage: string; name: string; makings: readonly [Making | null, Making | null] }): Stage {
  const [first, again] = makings.map((one) => one?.digests[name]);
  if (first === undefined || again === undefined) return notRecorded(stage);
  return first === again
    ? { stage, status: 'equal', detail: first }
    : { stage, status: 'differs', detail: `${first} became ${again}`, at: `: ${first} became ${again}` };
}

export async function windowStage({ run, artifacts: [first], readable }: Sides): Promise<Stage[]> {
  const stage = 'window';
  const manifest = await readable(run.window, windowManifest);
  const days = manifest === null ? run.window : `train ${manifest.train.from} to ${manifest.train.to}, test ${manifest.test.from} to ${manifest.test.to}`;
  if (first === null || first.window === run.window) return [{ stage, status: 'equal', detail: days }];
  const why = `the run's record names ${run.window}, its artifact was made of ${first.window}`;
  return [{ stage, status: 'differs', detail: why, data: why }];
}

export async function matrixStage({ training }: Sides): Promise<Stage[]> {
  return [digestStage({ stage: 'train-matrix', name: 'train', makings: training })];
}

/** Where a recipe with a warm start began. */
export async function startStage({ training }: Sides): Promise<Stage[]> {
  const compared = digestStage({ stage: 'start', name: 'start', makings: training });
  if (compared.status === 'not-recorded') return [];
  return [compared.status === 'differs' ? { ...compared, data: `training began elsewhere: ${compared.detail}` } : compared];
}

/** The recipe that the artifact was made by, and the one that the run's record names. */
export async function recipeStage({ run, artifacts: [first], readable }: Sides): Promise<Stage[]> {
  const stage = 'recipe';
  if (first === null) return [notRecorded(stage)];
  if (first.recipe === run.recipe && first.seed === run.seed) return [{ stage, status: 'equal', detail: `${run.recipe}, seed ${run.seed}` }];
  const [before, after] = [await readable(first.recipe, recipeSchema), await readable(run.recipe, recipeSchema)];
  const at = firstDifference(before, after) ?? firstDifference({ seed: first.seed }, { seed: run.seed }) ?? `: ${first.recipe} became ${run.recipe}`;
  return [{ stage, status: 'differs', detail: at.replace(/^: /, ''), at, parameter: at.replace(/^: /, '') }];
}

/** File by file. Of graphs that differ, how far apart their trainers' answers are. */
export async function artifactStage({ state, run, again, artifacts: [first, second] }: Sides): Promise<Stage[]> {
  const stage = 'artifact';
  if (run.artifact === again.trained.artifact) {
    const files = Object.keys(first?.files ?? {}).length;
    return [{ stage, status: 'equal', detail: `${run.artifact}, ${files} files` }];
  }
  const at = (first === null || second === null ? undefined : firstDifference(first, second)) ?? `: ${run.artifact} became ${again.trained.artifact}`;
  const names = [...new Set([...Object.keys(first?.files ?? {}), ...Object.keys(second?.files ?? {})])].sort();
  const files = names.map((name) => `${name} ${first?.files[name] === second?.files[name] ? 'equal' : 'differs'}`);
  const parameter = first === null || second === null || first.recipe === second.recipe ? {} : { parameter: at.replace(/^: /, '') };
  const answers = await answersOf(state, run.artifact, again.trained.artifact);
  const vocabulary = answers?.vocabulary === undefined ? [] : [`vocabulary${answers.vocabulary}`];
  return [{ stage, status: 'differs', detail: [...files, ...vocabulary].join(', '), at, ...parameter, largest: answers?.largest ?? null }];
}

/** The trainers' answers to the requests that both were asked; undefined where there is no comparing them. */
async function answersOf({ blobs, generations }: State, first: string, again: string) {
  try {
    const [before, after] = [await loadArtifact({ blobs, generations, digest: first }), await loadArtifact({ blobs, generations, digest: again })];
    const scoresOf = ({ parity }: typeof before) => parity.requests.map(({ scores }) => ({ scores }));
    const { largest, differ, of } = largestDifference(scoresOf(before), scoresOf(after));
    return {
      vocabulary: firstDifference(before.vocabulary, after.vocabulary),
      largest: largest === null ? null : { what: `${differ} of ${of} scores of the parity requests`, ...largest },
    };
  } catch {
    return undefined;
  }
}
