import { access, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openRequest, readRequest } from '../../activities/privacy/erasure-files.ts';
import { digestBytes } from '../../models/contracts/digest.ts';
import { createRandom } from '../../models/random.ts';
import { openBlobDirectory } from '../../stores/blobs-directory.ts';
import { eraseFromLog } from '../../stores/erase-log.ts';
import { openLogReader, openLogWriter } from '../../stores/event-log-files.ts';
import { openGenerationDirectory } from '../../stores/generations-directory.ts';
import { diskAfter, layOut } from './power-cut.ts';
import { recorded, refusal, refuseWhere } from './recorded-fs.ts';

vi.mock('node:fs/promises', async (original) => (await import('./recorded-fs.ts')).recording(await original<typeof import('node:fs/promises')>()));

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-power-cut-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const fresh = () => {
  count += 1;
  return join(folder, String(count));
};
const random = createRandom(Number(process.env.UNDERSTUDY_TEST_SEED));

type Promised = (root: string) => Promise<void>;
type Work = (input: { root: string; promise: (what: string, holds: Promised) => void }) => Promise<void>;

/**
 * Does the work once, and then looks at what a power cut behind each of its operations would have left: what had been promised by then must hold, and what
 * `always` says as well.
 */
async function survives(work: Work, always: Promised): Promise<number> {
  const root = fresh();
  await mkdir(root);
  const promises = new Map<string, Promised>();
  const ops = await recorded(root, (mark) =>
    work({
      root,
      promise(what, holds) {
        promises.set(what, holds);
        mark(what);
      },
    }),
  );
  for (let cut = 0; cut <= ops.length; cut += 1) {
    for (const luck of [undefined, random]) {
      const target = fresh();
      await layOut(diskAfter(ops, { root, count: cut }), { target, random: luck });
      const done = ops.slice(0, cut).flatMap((op) => (op.op === 'mark' ? [op.mark] : []));
      try {
        for (const what of done) await promises.get(what)?.(target);
        await always(target);
      } catch (error) {
        const last = ops[cut - 1];
        const where = `${cut} of ${ops.length} operations, the last: ${last?.op} ${last !== undefined && 'path' in last ? last.path.slice(root.length) : ''}`;
        throw new Error(`after ${where}; ${luck === undefined ? 'only what was synced' : 'and some of what was not'}; promised: ${done.join(', ')}`, {
          cause: error,
        });
      }
      await rm(target, { recursive: true, force: true });
    }
  }
  return ops.length;
}

const blobsIn = (root: string) => openBlobDirectory({ root: join(root, 'blobs') });
const seriesIn = (root: string) => openGenerationDirectory({ root: join(root, 'series') });
const logIn = (root: string) => join(root, 'log', 'home', 'events');

/** Every blob that there is holds what its name says, and every series can be read from its first number to its last. */
const wholeStores: Promised = async (root) => {
  for await (const { digest } of blobsIn(root).list()) await blobsIn(root).get(digest);
  for (const series of await seriesIn(root).series('data/')) {
    const { generation } = (await seriesIn(root).latest(series)) as { generation: number };
    for (let one = 1; one <= generation; one += 1) expect(await seriesIn(root).read(series, one)).toMatchObject({ one });
  }
};

const bytesOf = (name: string) => Buffer.from(name.repeat(50));
const holdsBlob =
  (name: string): Promised =>
  async (root) =>
    expect(Buffer.from(await blobsIn(root).get(digestBytes(bytesOf(name)))).toString()).toBe(bytesOf(name).toString());

describe('after a power cut at any point', () => {
  it('blobs and generations that were stored are there, and none of them is half written', async () => {
    const length = await survives(async ({ root, promise }) => {
      const [blobs, generations] = [blobsIn(root), seriesIn(root)];
      for (const [nth, name] of ['a', 'b', 'c'].entries()) {
        await blobs.put(bytesOf(name));
        promise(`blob ${name}`, holdsBlob(name));
        await generations.create('data/home', nth + 1, { one: nth + 1, name });
        promise(`generation ${nth + 1}`, async (left) => expect((await seriesIn(left).latest('data/home'))?.generation).toBeGreaterThan(nth));
      }
      await mkdir(join(root, 'scratch'), { recursive: true });
      const file = join(root, 'scratch', 'slice.parquet');
      await writeFile(file, bytesOf('d'));
      await blobs.putFile(file);
      promise('blob d', holdsBlob('d'));
    }, wholeStores);
    expect(length).toBeGreaterThan(40);
  });

  it.each(['put', 'putFile'] as const)('what another process stored before it was killed is there too, once %s has been told of it', async (how) => {
    for (const step of ['link', 'rename', 'unlink', 'sync-directory'] as const) {
      await survives(async ({ root, promise }) => {
        const store = async () => {
          await mkdir(join(root, 'scratch'), { recursive: true });
          const file = join(root, 'scratch', 'slice.parquet');
          await writeFile(file, bytesOf('a'));
          if (how === 'put') await blobsIn(root).put(bytesOf('a'));
          else await blobsIn(root).putFile(file);
        };
        let killed = false;
        refuseWhere(({ op, path }) => {
          if (path.includes(join('blobs', 'sha256', digestBytes(bytesOf('a')).slice(7, 9))) && op === step && !killed) killed = true;
          return killed ? refusal('EIO', path) : undefined;
        });
        await store().catch(() => undefined);
        refuseWhere(() => undefined);
        await store();
        promise('blob a', holdsBlob('a'));
      }, wholeStores);
    }
  });

  it('what was erased does not come back', async () => {
    const gone: Promised = async (root) => {
      await expect(blobsIn(root).get(digestBytes(bytesOf('a')))).rejects.toMatchObject({ code: 'UND-ERASED', details: { certificate: 'er-1' } });
      await expect(blobsIn(root).put(bytesOf('a'))).rejects.toMatchObject({ code: 'UND-ERASED' });
      const hex = digestBytes(bytesOf('a')).slice('sha256:'.length);
      await expect(access(join(root, 'blobs', 'sha256', hex.slice(0, 2), hex))).rejects.toMatchObject({ code: 'ENOENT' });
    };
    await survives(async ({ root, promise }) => {
      const digest = await blobsIn(root).put(bytesOf('a'));
      await blobsIn(root).erase(digest, 'er-1');
      promise('erased', gone);
    }, wholeStores);
  });

  it('each record that the log acknowledged is there once, sealed or not, and what was erased of it stays erased', async () => {
    const eraseOdd = (root: string) =>
      eraseFromLog({ directory: logIn(root), matches: (record) => (record as { id: number }).id % 2 === 1, certificate: 'er-1' });
    const recordsIn = async (root: string) => {
      // Whoever erases tries again until it is done.
      if ((await readdir(logIn(root)).catch(() => [])).some((name) => name.endsWith('.erasing'))) await eraseOdd(root);
      const writer = await openLogWriter({ directory: logIn(root), writer: 'w' });
      await writer.close();
      const reader = openLogReader({ directory: logIn(root) });
      const ids: number[] = [];
      for await (const record of reader.read(await reader.sealed())) ids.push((record as { id: number }).id);
      expect(new Set(ids).size).toBe(ids.length);
      return ids;
    };
    await survives(
      async ({ root, promise }) => {
        const writer = await openLogWriter({ directory: logIn(root), writer: 'w' });
        for (let id = 0; id < 6; id += 1) {
          await writer.append([{ id, text: 'what somebody did' }]);
          promise(`record ${id}`, async (left) => {
            const ids = await recordsIn(left);
            if (id % 2 === 0) expect(ids).toContain(id);
          });
          if (id % 3 === 2) await writer.seal();
        }
        await writer.close();
        await eraseOdd(root);
        promise('erased', async (left) => expect((await recordsIn(left)).filter((id) => id % 2 === 1)).toEqual([]));
      },
      async (root) => void (await recordsIn(root)),
    );
  });

  it('an erasure that was asked for is not forgotten', async () => {
    await survives(
      async ({ root, promise }) => {
        const people = { userIds: ['u1'], sessionIds: [], deviceIds: [] };
        const { id } = await openRequest(root, { given: ['u1'], people, by: 'dpo', why: 'asked', reference: null, models: 'keep', requestedAtMs: 1 });
        promise('request', async (left) => expect((await readRequest(left, id))?.people).toEqual(people));
      },
      async () => undefined,
    );
  });
});
