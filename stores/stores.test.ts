import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestBytes } from '../models/contracts/digest.ts';
import { openBlobDirectory } from './blobs-directory.ts';
import type { BlobStore } from './blobs.ts';
import { openGenerationDirectory } from './generations-directory.ts';
import type { GenerationStore } from './generations.ts';

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-stores-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
const fresh = () => {
  count += 1;
  return join(root, String(count));
};

/** What every blob store must do. `spoil` alters the stored bytes behind the store's back. */
function blobStoreSuite(name: string, make: () => { store: BlobStore; again: () => BlobStore; spoil: (digest: string) => Promise<void> }): void {
  describe(`blob store: ${name}`, () => {
    it('gives back the bytes under their digest, whoever puts them how often', async () => {
      const { store, again } = make();
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), async (bytes) => {
          const digests = await Promise.all([store.put(bytes), store.put(bytes), again().put(bytes)]);
          expect(new Set(digests)).toEqual(new Set([digestBytes(bytes)]));
          expect(Buffer.from(await again().get(digests[0] as string)).equals(Buffer.from(bytes))).toBe(true);
        }),
        { numRuns: 30 },
      );
    });

    it('takes over a file', async () => {
      const { store } = make();
      const path = `${fresh()}.txt`;
      await writeFile(path, 'a day of events');
      const digest = await store.putFile(path);
      expect(digest).toBe(digestBytes('a day of events'));
      expect(await store.localPath(digest)).toEqual(expect.any(String));
      await writeFile(path, 'a day of events');
      expect(await store.putFile(path)).toBe(digest);
    });

    it('has files beside each other by the names that are asked for, whoever asks how often, without room of their own', async () => {
      const { store, again } = make();
      const files = { 'recommend.onnx': await store.put('a graph'), 'recommend.weights': await store.put('its weights') };
      const folders = await Promise.all([store.localFolder(files), store.localFolder(files), again().localFolder(files)]);
      expect(new Set(folders).size).toBe(1);
      const [folder = ''] = folders;
      expect(await readFile(join(folder, 'recommend.weights'), 'utf8')).toBe('its weights');
      expect((await stat(join(folder, 'recommend.onnx'))).ino).toBe((await stat(await store.localPath(files['recommend.onnx']))).ino);
      const other = await store.localFolder({ ...files, 'recommend.weights': await store.put('other weights') });
      expect((await readdir(other)).sort()).toEqual(['recommend.onnx', 'recommend.weights']);
      expect(await readdir(dirname(folder))).toHaveLength(2);
      // What is gone is gone there too.
      await store.drop(files['recommend.weights']);
      await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(again().localFolder(files)).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
      await store.erase(files['recommend.onnx'], 'er-000000000000000000000000');
      await expect(stat(other)).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await readdir(dirname(folder))).toEqual([]);
    });

    it('refuses altered bytes, unknown digests and names that are no digests', async () => {
      const { store, again, spoil } = make();
      const digest = await store.put('the artifact');
      await spoil(digest);
      await expect(again().get(digest)).rejects.toMatchObject({ code: 'UND-DIGEST' });
      await expect(again().localPath(digest)).rejects.toMatchObject({ code: 'UND-DIGEST' });
      await expect(again().localFolder({ 'recommend.onnx': digest })).rejects.toMatchObject({ code: 'UND-DIGEST' });
      await expect(store.get(`sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
      await expect(store.get('sha256:../../../../etc/passwd')).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
    });
  });
}

blobStoreSuite('directory', () => {
  const path = fresh();
  const again = () => openBlobDirectory({ root: path });
  return {
    store: again(),
    again,
    spoil: async (digest) => {
      const hex = digest.slice(7);
      const file = join(path, 'sha256', hex.slice(0, 2), hex);
      await chmod(file, 0o644);
      await writeFile(file, 'other bytes');
    },
  };
});

/** What every generation store must do. */
function generationStoreSuite(name: string, make: () => () => GenerationStore): void {
  describe(`generation store: ${name}`, () => {
    it('lets exactly one of many writers have a number', async () => {
      const open = make();
      for (let round = 0; round < 20; round += 1) {
        const outcomes = await Promise.allSettled(Array.from({ length: 8 }, (_, writer) => open().create('deployment/home', round + 1, { writer })));
        expect(outcomes.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
        for (const one of outcomes) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'UND-GENERATION-TAKEN' });
      }
      expect((await open().latest('deployment/home'))?.generation).toBe(20);
    });

    it('takes the same document again as a retry', async () => {
      const store = make()();
      await store.create('data/home', 1, { a: 1, b: 2 });
      await store.create('data/home', 1, { b: 2, a: 1 });
      expect(await store.read('data/home', 1)).toEqual({ a: 1, b: 2 });
    });

    it('knows its series, and that an unknown one is empty', async () => {
      const store = make()();
      await store.create('run/home/aaa-bbb', 1, {});
      await store.create('run/shop/aaa-bbb', 1, {});
      await store.create('charter/home', 1, {});
      expect(await store.series('run/home/')).toEqual(['run/home/aaa-bbb']);
      expect(await store.series('run/')).toEqual(['run/home/aaa-bbb', 'run/shop/aaa-bbb']);
      expect(await store.latest('charter/none')).toBeUndefined();
    });

    it('refuses names that leave its room', async () => {
      const store = make()();
      for (const series of ['../x', 'a/../b', '/etc/passwd', 'a', 'A/b', 'a//b', ''])
        await expect(store.create(series, 1, {})).rejects.toMatchObject({ code: 'UND-INPUT' });
      await expect(store.create('a/b', 0, {})).rejects.toMatchObject({ code: 'UND-INPUT' });
    });
  });
}

generationStoreSuite('directory', () => {
  const path = fresh();
  return () => openGenerationDirectory({ root: path });
});

it('leaves no temporary files behind', async () => {
  const path = fresh();
  const store = openGenerationDirectory({ root: path });
  await Promise.allSettled(Array.from({ length: 10 }, (_, writer) => store.create('deployment/home', 1, { writer })));
  expect(await readdir(join(path, 'deployment', 'home'))).toEqual(['00000001.json']);
});
