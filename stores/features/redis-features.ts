// @redis/client: the Redis makers' own client without the parts for modules; MIT, maintained, typed, no dependencies; speaks to Valkey as well.
import { createClient, WatchError } from '@redis/client';
import type { FeatureValue } from '../../models/contracts/feature.ts';
import { digestBytes } from '../../models/contracts/digest.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import {
  type FeatureSet,
  isDone,
  isExpired,
  type OnlineFeatureStore,
  type PublishedFeatures,
  publishedFeatures,
  refuseOtherDefinition,
  setName,
} from './online-features.ts';

/** The braces keep all keys of a surface in one slot of a cluster, so that they can be read and written together. */
const keyOf = (surface: string, ...parts: (string | number)[]) => ['understudy', `{features/${surface}}`, ...parts].join(':');
const nowKey = (set: FeatureSet) => keyOf(set.surface, 'now', setName(set));
/** A hash from entity to values. */
const rowsKey = (set: Pick<FeatureSet, 'surface'>, name: string, generation: number | string) => keyOf(set.surface, 'rows', name, generation);
/** A set of `view@version generation`, of all that was laid down for one kind of entity. */
const laidKey = (surface: string, entity: string) => keyOf(surface, 'laid', entity);
/** A hash from the SHA-256 of an id to when it was erased. */
const erasedKey = (surface: string, entity: string) => keyOf(surface, 'erased', entity);

const parse = (text: string | null): PublishedFeatures | undefined => (text === null ? undefined : publishedFeatures.parse(JSON.parse(text)));

/**
 * The online store in Redis or Valkey, for many machines. @param url `redis://…` or `rediss://…`
 * @throws UND-STATE when the server cannot be reached
 */
export async function openRedisFeatures({ url }: { url: string }): Promise<OnlineFeatureStore> {
  const client = createClient({ url, socket: { connectTimeout: 5_000, reconnectStrategy: (tries) => (tries > 5 ? new Error('gave up') : tries * 100) } });
  // Every command that fails says so itself; without a listener the same error would end the process.
  client.on('error', () => undefined);
  await client.connect().catch((cause) => {
    throw new UnderstudyError('UND-STATE', `The online store at ${new URL(url).host} cannot be reached: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  });
  /** What was published when this process last looked; only a guess at which rows to ask for. */
  const guesses = new Map<string, number>();
  const current = async (set: FeatureSet) => parse(await client.get(nowKey(set)));

  /** Those of `ids` who were erased at or after `asOfMs`. */
  const erasedOf = async (set: FeatureSet, { ids, asOfMs }: { ids: readonly string[]; asOfMs: number }) => {
    const times = await client.hmGet(erasedKey(set.surface, set.entity), ids.map(digestBytes));
    return ids.filter((_, index) => Number(times[index] ?? Number.NEGATIVE_INFINITY) >= asOfMs);
  };

  return {
    async put({ set, generation, asOfMs, rows }) {
      if (rows.length === 0 || isDone(set, await current(set), { generation })) return;
      const key = rowsKey(set, setName(set), generation);
      // Told before it is laid, and looked at after: an erasure in between finds the rows, or is found.
      await client.sAdd(laidKey(set.surface, set.entity), `${setName(set)} ${generation}`);
      await client.hSet(
        key,
        rows.map(({ entity, values }): [string, string] => [entity, JSON.stringify(values)]),
      );
      const erased = await erasedOf(set, { ids: rows.map(({ entity }) => entity), asOfMs });
      if (erased.length > 0) await client.hDel(key, erased);
    },

    async publish({ set, published }) {
      const writer = client.duplicate();
      writer.on('error', () => undefined);
      await writer.connect();
      try {
        for (;;) {
          await writer.watch(nowKey(set));
          if (isDone(set, parse(await writer.get(nowKey(set))), { generation: published.generation, published })) return;
          const laid = (await writer.sMembers(laidKey(set.surface, set.entity))).map((one) => one.split(' ') as [string, string]);
          const older = laid.filter(([name, generation]) => name === setName(set) && Number(generation) < published.generation);
          const step = writer.multi().set(nowKey(set), JSON.stringify(published));
          for (const [name, generation] of older) step.unlink(rowsKey(set, name, generation)).sRem(laidKey(set.surface, set.entity), `${name} ${generation}`);
          if (await wasDone(() => step.exec())) return;
        }
      } finally {
        writer.destroy();
      }
    },

    current,

    async get({ set, digest, entities, nowMs }) {
      for (;;) {
        const guess = guesses.get(nowKey(set)) ?? 0;
        const asked = entities.length === 0 ? [''] : [...entities];
        // In one step, so that the rows are those of what is published: a published generation is not changed any more, but for erasures.
        const [text, texts] = await client
          .multi()
          .get(nowKey(set))
          .hmGet(rowsKey(set, setName(set), guess), asked)
          .execTyped();
        const published = parse(text as string | null);
        if (published === undefined) return undefined;
        if (published.generation !== guess) {
          guesses.set(nowKey(set), published.generation);
          continue;
        }
        refuseOtherDefinition({ set, digest, current: published });
        const expired = isExpired(published, nowMs);
        const row = (index: number) => {
          const found = (texts as (string | null)[])[index];
          return expired || found === null || found === undefined ? undefined : (JSON.parse(found) as FeatureValue[]);
        };
        return { ...published, expired, rows: entities.map((_, index) => row(index)) };
      }
    },

    async erase({ surface, entity, id, atMs }) {
      await client.hSet(erasedKey(surface, entity), digestBytes(id), String(atMs));
      const laid = await client.sMembers(laidKey(surface, entity));
      const deleted = await Promise.all(
        laid.map((one) => one.split(' ') as [string, string]).map(([name, generation]) => client.hDel(rowsKey({ surface }, name, generation), id)),
      );
      return deleted.reduce((sum, count) => sum + count, 0);
    },

    close: async () => client.destroy(),
  };
}

/** False when somebody else wrote what is watched. */
async function wasDone(exec: () => Promise<unknown>): Promise<boolean> {
  try {
    await exec();
    return true;
  } catch (error) {
    if (error instanceof WatchError) return false;
    throw error;
  }
}
