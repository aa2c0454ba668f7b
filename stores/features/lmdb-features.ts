// lmdb: readers in many processes beside one writer, no server; MIT, maintained, typed, prebuilt for Linux, macOS and Windows, so its install script
// is not needed. SQLite of Node itself was the other choice; it reads one row at a time through SQL, and is still marked as experimental.
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import type { FeatureValue } from '../../models/contracts/feature.ts';
import { digestBytes } from '../../models/contracts/digest.ts';
import { type FeatureSet, isDone, isExpired, type OnlineFeatureStore, type PublishedFeatures, refuseOtherDefinition, setName } from './online-features.ts';

/**
 * Keys: `now, surface, set` → what is published; `laid, surface, entity kind, set, generation` → true; `row, surface, set, generation, entity` → values;
 * `erased, surface, entity kind, SHA-256 of id` → when.
 */
type Key = (string | number)[];

/** After every key that begins with the given parts. */
const end = '\u{10ffff}';

/** The online store in a directory, for processes of one machine. One process writes at a time; LMDB has the others wait. */
export function openLmdbFeatures({ directory }: { directory: string }): OnlineFeatureStore {
  const database: RootDatabase<unknown, Key> = open({ path: directory, noSubdir: false, encoding: 'msgpack' });
  const nowKey = (set: FeatureSet): Key => ['now', set.surface, setName(set)];
  const rowKey = (set: FeatureSet, generation: number, entity: string): Key => ['row', set.surface, setName(set), generation, entity];
  const erasedKey = (surface: string, entity: string, id: string): Key => ['erased', surface, entity, digestBytes(id)];
  const keysFrom = (start: Key) => [...database.getKeys({ start, end: [...start, end] })];
  const current = (set: FeatureSet) => database.get(nowKey(set)) as PublishedFeatures | undefined;

  return {
    async put({ set, generation, asOfMs, rows }) {
      await database.transaction(() => {
        if (isDone(set, current(set), { generation })) return;
        void database.put(['laid', set.surface, set.entity, setName(set), generation], true);
        for (const { entity, values } of rows) {
          const erasedMs = database.get(erasedKey(set.surface, set.entity, entity)) as number | undefined;
          if (erasedMs === undefined || asOfMs > erasedMs) void database.put(rowKey(set, generation, entity), values);
        }
      });
    },

    async publish({ set, published }) {
      await database.transaction(() => {
        if (isDone(set, current(set), { generation: published.generation, published })) return;
        void database.put(nowKey(set), published);
        for (const laid of keysFrom(['laid', set.surface, set.entity, setName(set)])) {
          const generation = laid.at(-1) as number;
          if (generation >= published.generation) continue;
          for (const key of keysFrom(['row', set.surface, setName(set), generation])) void database.remove(key);
          void database.remove(laid);
        }
      });
      await database.flushed;
    },

    current: async (set) => current(set),

    async get({ set, digest, entities, nowMs }) {
      // One snapshot for all of the reads, whatever is published meanwhile.
      const transaction = database.useReadTransaction();
      try {
        const published = database.get(nowKey(set), { transaction }) as PublishedFeatures | undefined;
        if (published === undefined) return undefined;
        refuseOtherDefinition({ set, digest, current: published });
        const expired = isExpired(published, nowMs);
        const row = (entity: string) => database.get(rowKey(set, published.generation, entity), { transaction }) as FeatureValue[] | undefined;
        return { ...published, expired, rows: entities.map((entity) => (expired ? undefined : row(entity))) };
      } finally {
        transaction.done();
      }
    },

    async erase({ surface, entity, id, atMs }) {
      const deleted = await database.transaction(() => {
        void database.put(erasedKey(surface, entity, id), atMs);
        let count = 0;
        for (const [, , , set, generation] of keysFrom(['laid', surface, entity])) {
          const key: Key = ['row', surface, set as string, generation as number, id];
          if (!database.doesExist(key)) continue;
          void database.remove(key);
          count += 1;
        }
        return count;
      });
      await database.flushed;
      return deleted;
    },

    close: () => database.close(),
  };
}

/**
 * Writes the whole store anew: LMDB leaves what was deleted in free pages until it needs them. With it goes the note of who was erased, which is needed only
 * as long as a generation of before may still be laid down. Whoever has the store open must open it again.
 */
export async function scrubLmdbFeatures({ directory }: { directory: string }): Promise<void> {
  const database: RootDatabase<unknown, Key> = open({ path: directory, noSubdir: false, encoding: 'msgpack' });
  const fresh = `${directory}.scrubbed`;
  try {
    await database.transaction(() => {
      for (const key of [...database.getKeys({ start: ['erased'], end: ['erased', end] })]) void database.remove(key);
    });
    await database.flushed;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh);
    await database.backup(fresh, true);
  } finally {
    await database.close();
  }
  await rename(join(fresh, 'data.mdb'), join(directory, 'data.mdb'));
  await rm(fresh, { recursive: true, force: true });
}
