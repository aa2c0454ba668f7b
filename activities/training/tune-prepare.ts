import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { CandidateRecipe } from '../../models/contracts/charter.ts';
import { dataState, ingestManifest } from '../../models/contracts/window.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import type { PreparedRetrain } from '../api.ts';
import { type Context, readCharter, readLatest } from '../context.ts';
import { cutWindow } from '../windows/cut-window.ts';
import { freezeRecipe } from '../windows/prepare-retrain.ts';

/**
 * The candidates of a charter that leave something to choose.
 * @throws UND-INPUT where there are none, or one that is named is none of them
 */
export function tunedCandidates(
  candidates: readonly CandidateRecipe[],
  names: readonly string[] | null,
): (CandidateRecipe & Required<Pick<CandidateRecipe, 'tune'>>)[] {
  const tuned = candidates.flatMap(({ tune, ...one }) => (tune === undefined ? [] : { ...one, tune }));
  const wrong = names?.filter((name) => !tuned.some((one) => one.name === name)) ?? [];
  if (tuned.length === 0) throw new UnderstudyError('UND-INPUT', 'No candidate of the charter has a `tune`: there is nothing to choose');
  if (wrong.length > 0)
    throw new UnderstudyError('UND-INPUT', `${wrong.join(', ')}: no candidate with a \`tune\`; the charter has ${tuned.map(({ name }) => name).join(', ')}`);
  return tuned.filter(({ name }) => names === null || names.includes(name));
}

/** The newest window and the recipes of the tuned candidates, as a retraining would have them now; the bootstrap rule does not hold for what is not released. @throws UND-NO-DATA */
export async function prepareTuning(
  { state }: Pick<Context, 'state'>,
  input: { surface: string; charter: string; candidates: readonly string[] | null },
): Promise<PreparedRetrain[]> {
  const { blobs, generations } = state;
  const { surface } = input;
  const charter = await readCharter(blobs, input.charter);
  const data = await readLatest(generations, `data/${surface}`, dataState);
  if (data === undefined) throw new UnderstudyError('UND-NO-DATA', `${surface} has no data yet: run \`understudy ingest\` first`);
  const { rulesDigest } = await getDocument(blobs, data.document.ingest, ingestManifest);
  const window = await putDocument(blobs, cutWindow({ dataState: data.document, charter, rulesDigest }));
  const prepared: PreparedRetrain[] = [];
  for (const candidate of tunedCandidates(charter.candidates, input.candidates)) {
    const recipe = await putDocument(blobs, await freezeRecipe({ state }, charter, candidate));
    prepared.push({ surface, candidate: candidate.name, window, recipe, charter: input.charter, tuned: true });
  }
  return prepared;
}
