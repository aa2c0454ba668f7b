import { z } from 'zod';
import type { Charter } from '../models/contracts/charter.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { createPseudonyms, type Pseudonyms } from '../models/contracts/pseudonyms.ts';
import type { GenerationStore } from './generations.ts';

const keyRecord = z.strictObject({ kind: z.literal('pseudonym-key'), surface: z.string(), fingerprint: z.string() });

type Input = { generations: GenerationStore; surface: string; charter: Pick<Charter, 'identity'>; key: string | null };

/**
 * By which names a surface knows people: null where by their ids. The surface is held to one key: whoever comes first writes its fingerprint, and another
 * key would make a stranger of everybody.
 * @throws UND-PSEUDONYM-KEY when the charter asks for keyed pseudonyms and there is no key, or another one than the surface began with.
 */
export async function openPseudonyms({ generations, surface, charter, key }: Input): Promise<Pseudonyms | null> {
  if (charter.identity?.pseudonyms !== 'keyed') return null;
  if (key === null)
    throw new UnderstudyError('UND-PSEUDONYM-KEY', `The charter of ${surface} asks for keyed pseudonyms, and UNDERSTUDY_PSEUDONYM_KEY is not set`);
  const pseudonyms = createPseudonyms(key);
  const { fingerprint } = pseudonyms;
  const series = `pseudonyms/${surface}`;
  try {
    await generations.create(series, 1, { kind: 'pseudonym-key', surface, fingerprint });
    return pseudonyms;
  } catch (error) {
    if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
  }
  const known = keyRecord.parse(await generations.read(series, 1)).fingerprint;
  throw new UnderstudyError('UND-PSEUDONYM-KEY', `${surface} began with the key whose fingerprint is ${known}; this one's is ${fingerprint}`);
}
