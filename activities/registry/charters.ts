import { z } from 'zod';
import { checkCandidates } from '../../models/algorithms/registry.ts';
import { type Charter, parseCharter } from '../../models/contracts/charter.ts';
import { canonicalJson, digestBytes } from '../../models/contracts/digest.ts';
import { digestString, epochMs } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type State, readLatest } from '../context.ts';

const charterGeneration = z.strictObject({ kind: z.literal('charter'), charter: digestString, atMs: epochMs });
const seriesOf = (surface: string) => `charter/${surface}`;

/** Makes the charter the surface's current one; the same charter again adds no generation. */
export async function registerCharter(state: State, input: unknown, nowMs: number): Promise<{ charter: Charter; digest: string }> {
  const charter = parseCharter(input, checkCandidates(input));
  const text = canonicalJson(charter);
  const digest = digestBytes(text);
  await state.blobs.put(text);
  for (;;) {
    const latest = await readLatest(state.generations, seriesOf(charter.surface), charterGeneration);
    if (latest?.document.charter === digest) return { charter, digest };
    try {
      await state.generations.create(seriesOf(charter.surface), (latest?.generation ?? 0) + 1, { kind: 'charter', charter: digest, atMs: nowMs });
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
