import { join } from 'node:path';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { makeDirectory } from '../durable-files.ts';
import { openLmdbFeatures } from './lmdb-features.ts';
import type { OnlineFeatureStore } from './online-features.ts';
import { openRedisFeatures } from './redis-features.ts';

/** The online store that a URL names, or the one in the state directory. @throws UND-ENVIRONMENT for a URL of neither Redis nor Valkey */
export async function openFeatures({ stateDir, url }: { stateDir: string; url: string | undefined }): Promise<OnlineFeatureStore> {
  if (url === undefined) {
    const directory = join(stateDir, 'features');
    await makeDirectory(directory);
    return openLmdbFeatures({ directory });
  }
  if (!/^(redis|rediss|valkey|valkeys):\/\//.test(url)) throw new UnderstudyError('UND-ENVIRONMENT', `${url} is not the URL of a Redis or Valkey server`);
  return openRedisFeatures({ url: url.replace(/^valkey/, 'redis') });
}
