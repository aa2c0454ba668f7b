import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { makeDirectory } from '../durable-files.ts';
import type { OnlineFeatureStore } from './online-features.ts';

const directoryOf = (stateDir: string) => join(stateDir, 'features');

/** Is there one that a URL names, or that was ever filled in the state directory? */
export async function hasFeatures({ stateDir, url }: { stateDir: string; url: string | undefined }): Promise<boolean> {
  return url !== undefined || (await stat(directoryOf(stateDir)).catch(() => undefined)) !== undefined;
}

// Each is loaded where it is used: most commands need neither.
const lmdb = () => import('./lmdb-features.ts');
const redis = () => import('./redis-features.ts');

/** Takes away what deleting leaves behind on this machine's disk. What a server keeps on its own is the server's. */
export async function scrubFeatures({ stateDir, url }: { stateDir: string; url: string | undefined }): Promise<void> {
  if (url === undefined) await (await lmdb()).scrubLmdbFeatures({ directory: directoryOf(stateDir) });
}

/** The online store that a URL names, or the one in the state directory. @throws UND-ENVIRONMENT for a URL of neither Redis nor Valkey */
export async function openFeatures({ stateDir, url }: { stateDir: string; url: string | undefined }): Promise<OnlineFeatureStore> {
  if (url === undefined) {
    const directory = directoryOf(stateDir);
    await makeDirectory(directory);
    return (await lmdb()).openLmdbFeatures({ directory });
  }
  if (!/^(redis|rediss|valkey|valkeys):\/\//.test(url)) throw new UnderstudyError('UND-ENVIRONMENT', `${url} is not the URL of a Redis or Valkey server`);
  return (await redis()).openRedisFeatures({ url: url.replace(/^valkey/, 'redis') });
}
