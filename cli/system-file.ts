import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UnderstudyError } from '../models/contracts/problem.ts';

const systemFile = z.object({
  temporalAddress: z.string(),
  temporalUiUrl: z.string().nullable(),
  mlflowUrl: z.string(),
  servingUrl: z.string(),
  pid: z.number().int(),
});
/** Where the system of a state directory listens: written by `up`, read by every other command. */
export type SystemFile = z.infer<typeof systemFile>;

const pathOf = (stateDir: string) => join(stateDir, 'run', 'system.json');

export async function writeSystemFile(stateDir: string, system: SystemFile): Promise<void> {
  await writeFile(`${pathOf(stateDir)}.new`, `${JSON.stringify(system, null, 2)}\n`);
  await rename(`${pathOf(stateDir)}.new`, pathOf(stateDir));
}

export async function readSystemFile(stateDir: string): Promise<SystemFile | undefined> {
  try {
    return systemFile.parse(JSON.parse(await readFile(pathOf(stateDir), 'utf8')));
  } catch {
    return undefined;
  }
}

export async function requireSystemFile(stateDir: string): Promise<SystemFile> {
  const found = await readSystemFile(stateDir);
  if (found === undefined) throw new UnderstudyError('UND-SERVING', `Nothing was started with the state directory ${stateDir}`);
  return found;
}
