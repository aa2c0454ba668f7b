import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { mapping } from '../activities/events/mapping.ts';
import { type Charter, charter as charterSchema } from '../models/contracts/charter.ts';
import { checkCandidates } from '../models/algorithms/registry.ts';
import { inputError, UnderstudyError } from '../models/contracts/problem.ts';

/** `file`: a file, a folder or a glob, relative to the configuration. */
const sourceSchema = z.strictObject({ file: z.string().min(1), mapping });

/** What an `understudy.config.ts` holds: the charter as default export and, where events come from a file, its `source`. */
export type SurfaceConfig = { path: string; folder: string; input: unknown; charter: Charter; source: z.output<typeof sourceSchema> | undefined };

/** Reads and checks a configuration file. @throws UND-CHARTER naming every mistake of charter and source; UND-FILE when it is not there. */
export async function loadSurfaceConfig(path: string): Promise<SurfaceConfig> {
  const full = resolve(path);
  await stat(full).catch((cause) => {
    throw new UnderstudyError('UND-FILE', `There is no ${full}`, { cause });
  });
  let module: { default?: unknown; source?: unknown };
  try {
    module = (await import(pathToFileURL(full).href)) as typeof module;
  } catch (cause) {
    throw new UnderstudyError('UND-CHARTER', `${full} cannot be loaded: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  const charter = charterSchema.safeParse(module.default);
  const source = sourceSchema.optional().safeParse(module.source);
  const ofCandidates = checkCandidates(module.default);
  if (!charter.success || !source.success || ofCandidates.length > 0) {
    const ofSource = (source.error?.issues ?? []).map((issue) => ({ ...issue, path: ['source', ...issue.path] }));
    throw inputError('UND-CHARTER', full, [...(charter.error?.issues ?? []), ...ofSource], ofCandidates);
  }
  const folder = dirname(full);
  return {
    path: full,
    folder,
    input: module.default,
    charter: charter.data,
    source: source.data === undefined ? undefined : { ...source.data, file: resolve(folder, source.data.file) },
  };
}
