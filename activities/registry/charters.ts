import { checkCandidates } from '../../models/algorithms/registry.ts';
import { type Charter, parseCharter } from '../../models/contracts/charter.ts';
import { charterGeneration } from '../../models/contracts/charter-generation.ts';
import { canonicalJson, digestBytes } from '../../models/contracts/digest.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type State, readLatest } from '../context.ts';
import { recordDecisionsIfPossible } from '../provenance/record-decisions.ts';

const seriesOf = (surface: string) => `charter/${surface}`;

/** Makes the charter the surface's current one, and says so in the ledger; the same charter again adds no generation. */
export async function registerCharter(state: State, input: unknown, nowMs: number): Promise<{ charter: Charter; digest: string }> {
  const charter = parseCharter(input, checkCandidates(input));
  const text = canonicalJson(charter);
  const digest = digestBytes(text);
  await state.blobs.put(text);
  for (;;) {
    const latest = await readLatest(state.generations, seriesOf(charter.surface), charterGeneration);
    try {
      if (latest?.document.charter !== digest)
        await state.generations.create(seriesOf(charter.surface), (latest?.generation ?? 0) + 1, { kind: 'charter', charter: digest, atMs: nowMs });
      await recordDecisionsIfPossible(state, charter.surface);
      return { charter, digest };
    } catch (error) {
      // Somebody registered in the same moment, perhaps the same charter.
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

/** @throws UND-UNKNOWN-SURFACE */
export async function currentCharter(state: State, surface: string): Promise<string> {
  const latest = await readLatest(state.generations, seriesOf(surface), charterGeneration);
  if (latest === undefined) throw new UnderstudyError('UND-UNKNOWN-SURFACE', `There is no surface ${surface} here`);
  return latest.document.charter;
}

/** Names of the surfaces that have a charter. */
export async function listSurfaces(state: State): Promise<string[]> {
  return (await state.generations.series('charter/')).map((series) => series.slice('charter/'.length));
}
