import { readFile, readdir } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { canonicalJson } from '../models/contracts/digest.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { createExclusive } from './durable-files.ts';
import type { GenerationStore } from './generations.ts';
import type { Signer } from './signatures.ts';

const fileName = /^(\d{8})\.json$/;
const seriesName = /^[a-z][a-z0-9-]*(\/[a-z0-9][a-z0-9-]*){1,3}$/;

/** Series as directories below `root`, generations as files `00000001.json` in them. */
export function openGenerationDirectory({ root, ledgerSigners = [] }: { root: string; ledgerSigners?: readonly Signer[] }): GenerationStore {
  const directoryOf = (series: string): string => {
    if (!seriesName.test(series)) throw new UnderstudyError('UND-INPUT', `${JSON.stringify(series)} is not the name of a series`);
    return join(root, ...series.split('/'));
  };
  const pathOf = (series: string, generation: number): string => {
    if (!Number.isSafeInteger(generation) || generation < 1 || generation > 99_999_999)
      throw new UnderstudyError('UND-INPUT', `${generation} is not a generation`);
    return join(directoryOf(series), `${String(generation).padStart(8, '0')}.json`);
  };
  const read = async (series: string, generation: number): Promise<unknown> => {
    const text = await readFile(pathOf(series, generation), 'utf8').catch((cause) => {
      throw new UnderstudyError('UND-NOT-FOUND', `${series} has no generation ${generation}`, { cause });
    });
    return parse(text, `${series} ${generation}`);
  };

  return {
    ledgerSigners,

    async create(series, generation, document) {
      const text = canonicalJson(document);
      if (await createExclusive(pathOf(series, generation), text)) return;
      if (canonicalJson(await read(series, generation)) === text) return;
      throw new UnderstudyError('UND-GENERATION-TAKEN', `${series} has a generation ${generation} already`);
    },

    read,

    async latest(series) {
      const numbers = (await list(directoryOf(series))).flatMap((entry) => (fileName.test(entry.name) ? [Number(entry.name.slice(0, 8))] : []));
      if (numbers.length === 0) return undefined;
      const generation = Math.max(...numbers);
      return { generation, document: await read(series, generation) };
    },

    async series(prefix) {
      const found: string[] = [];
      const walk = async (path: readonly string[]): Promise<void> => {
        const entries = await list(join(root, ...path));
        if (entries.some((entry) => fileName.test(entry.name))) found.push(path.join('/'));
        for (const entry of entries) if (entry.isDirectory()) await walk([...path, entry.name]);
      };
      const from = prefix.split('/').slice(0, -1);
      if (from.some((part) => part === '..' || part.includes(sep)))
        throw new UnderstudyError('UND-INPUT', `${JSON.stringify(prefix)} is not a prefix of series`);
      await walk(from);
      return found.filter((series) => series.startsWith(prefix)).sort();
    },
  };
}

async function list(directory: string) {
  return readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UnderstudyError('UND-DIGEST', `${what} is not whole`, { cause });
  }
}
