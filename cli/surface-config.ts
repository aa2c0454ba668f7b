import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Mapping } from '../activities/events/mapping.ts';
import type { Charter } from '../models/contracts/charter.ts';
import { parseCharter } from '../models/contracts/charter.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';

/** What an `understudy.config.ts` holds: the charter as default export and, where events come from a file, its `source`. */
export type SurfaceConfig = { path: string; folder: string; input: unknown; charter: Charter; source: { file: string; mapping: Mapping } | undefined };

/** Reads and checks a configuration file. @throws UND-CHARTER naming every mistake; UND-FILE when it is not there. */
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
  const charter = parseCharter(module.default);
  const source = module.source as { file: string; mapping: Mapping } | undefined;
  return {
    path: full,
    folder: dirname(full),
    input: module.default,
    charter,
    source: source === undefined ? undefined : { ...source, file: resolve(dirname(full), source.file) },
  };
}
