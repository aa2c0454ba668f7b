import { z } from 'zod';
import { epochMs } from '../models/contracts/ids.ts';
import type { GenerationStore } from './generations.ts';
import { readLedger } from './ledger.ts';

/** One look for a root cause. `last`: how it ended, or the last that happened; `diagnosis`: its digest, null before there is one. */
export const causeLook = z.strictObject({
  id: z.string(),
  openedMs: epochMs,
  cause: z.string(),
  mend: z.string(),
  last: z.string(),
  diagnosis: z.string().nullable(),
});
export type CauseLook = z.output<typeof causeLook>;

/** Each look once, oldest first, with the last that the ledger says of it. */
export async function causeLooks(generations: GenerationStore, surface: string): Promise<CauseLook[]> {
  const looks = new Map<string, CauseLook>();
  for (const { action, releaseId, atMs, detail } of await readLedger(generations, surface)) {
    if (releaseId === null || !action.startsWith('root-cause-')) continue;
    const word = (name: string) => (typeof detail[name] === 'string' ? detail[name] : '');
    const known = looks.get(releaseId) ?? { id: releaseId, openedMs: atMs, cause: '', mend: '', last: '', diagnosis: null };
    const isFound = action === 'root-cause-opened' || action === 'root-cause-reopened';
    looks.set(releaseId, {
      ...known,
      ...(isFound ? { cause: word('cause') || 'none', mend: word('mend') || 'none', diagnosis: word('diagnosis') } : {}),
      last: action === 'root-cause-closed' ? `${word('outcome')}: ${word('why')}` : action.slice('root-cause-'.length),
    });
  }
  return [...looks.values()];
}
