import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, copyFile, link, mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { digestBytes } from '../models/contracts/digest.ts';
import { type Digest, digestString } from '../models/contracts/ids.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import type { BlobStore } from './blobs.ts';
import { createExclusive, makeDirectory, removeLeftovers, syncDirectory, temporaryBeside } from './durable-files.ts';

/**
 * Blobs as files `sha256/ab/<hex>` below `root`, and as links by their names in folders `folders/<hex>-<hex>`; of what was erased there is `sha256/ab/<hex>.erased`, which holds the certificate's id.
 */
export function openBlobDirectory({ root }: { root: string }): BlobStore {
  const verified = new Set<Digest>();
  const durable = new Set<Digest>();
  const pathOf = (digest: Digest): string => {
    if (!digestString.safeParse(digest).success) throw new UnderstudyError('UND-NOT-FOUND', `${JSON.stringify(digest)} is not a digest`);
    const hex = hexOf(digest);
    return join(root, 'sha256', hex.slice(0, 2), hex);
  };

  async function* names(): AsyncGenerator<{ name: string; path: string }> {
    for (const folder of (await readdir(join(root, 'sha256')).catch(() => [])).sort()) {
      await removeLeftovers(join(root, 'sha256', folder));
      for (const name of (await readdir(join(root, 'sha256', folder))).sort()) yield { name, path: join(root, 'sha256', folder, name) };
    }
  }

  /** @throws UND-ERASED */
  async function refuseErased(digest: Digest): Promise<void> {
    const certificate = await readFile(`${pathOf(digest)}${erasedSuffix}`, 'utf8').catch(() => undefined);
    if (certificate !== undefined)
      throw new UnderstudyError('UND-ERASED', `The blob ${digest} held what was erased by certificate ${certificate}`, { details: { certificate } });
  }

  /** Whether the bytes are there, and for good: whoever brought them may have died before their name was durable. */
  async function isKept(digest: Digest): Promise<boolean> {
    const path = pathOf(digest);
    if (!(await exists(path))) return false;
    if (!durable.has(digest)) await syncDirectory(dirname(path));
    durable.add(digest);
    return true;
  }

  async function localPath(digest: Digest): Promise<string> {
    const path = pathOf(digest);
    if (verified.has(digest) && (await exists(path))) return path;
    const actual = await digestFile(path).catch(async (cause) => {
      await refuseErased(digest);
      throw missing(digest, cause);
    });
    if (actual !== digest) throw corrupt(digest);
    verified.add(digest);
    return path;
  }

  const folders = join(root, 'folders');
  /** A session that has a file open keeps it until it is closed. */
  async function removeFoldersOf(digest: Digest): Promise<void> {
    const names = await readdir(folders).catch((): string[] => []);
    for (const name of names.filter((one) => one.split('-').includes(hexOf(digest)))) await rm(join(folders, name), { recursive: true, force: true });
  }

  return {
    localPath,

    async localFolder(files) {
      const named = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
      const paths = await Promise.all(named.map(async ([name, digest]) => [name, await localPath(digest)] as const));
      const folder = join(folders, named.map(([, digest]) => hexOf(digest)).join('-'));
      if (await exists(folder)) return folder;
      await makeDirectory(folders);
      const made = temporaryBeside(folder);
      await mkdir(made);
      try {
        for (const [name, path] of paths) await linkOrCopy(path, join(made, name));
        await rename(made, folder);
      } catch (error) {
        await rm(made, { recursive: true, force: true });
        // Another process was first.
        if (!(await exists(folder))) throw error;
      }
      return folder;
    },

    async put(bytes) {
      const digest = digestBytes(bytes);
      if (await isKept(digest)) return digest;
      await refuseErased(digest);
      await createExclusive(pathOf(digest), bytes);
      return digest;
    },

    async putFile(source) {
      const digest = await digestFile(source);
      const path = pathOf(digest);
      if (await isKept(digest)) {
        await unlink(source);
        return digest;
      }
      await refuseErased(digest);
      await makeDirectory(dirname(path));
      await syncFile(source);
      // The name is the content: two who race write the same bytes, so overwriting is harmless.
      await rename(source, path).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EXDEV') throw error;
        const beside = temporaryBeside(path);
        await copyFile(source, beside);
        await syncFile(beside);
        await rename(beside, path);
        await unlink(source);
      });
      await syncDirectory(dirname(path));
      return digest;
    },

    has: (digest) => exists(pathOf(digest)),

    async get(digest) {
      const bytes = await readFile(pathOf(digest)).catch(async (cause) => {
        await refuseErased(digest);
        throw missing(digest, cause);
      });
      if (digestBytes(bytes) !== digest) throw corrupt(digest);
      verified.add(digest);
      return bytes;
    },

    async erase(digest, certificate) {
      const path = pathOf(digest);
      // The word first: a name without bytes would be a loss that nobody can explain.
      await createExclusive(`${path}${erasedSuffix}`, certificate);
      await removeFoldersOf(digest);
      await unlink(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
      await syncDirectory(dirname(path));
    },

    async drop(digest) {
      await removeFoldersOf(digest);
      await unlink(pathOf(digest)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    },

    async *erased() {
      for await (const { name, path } of names()) {
        if (!name.endsWith(erasedSuffix)) continue;
        yield { digest: `sha256:${name.slice(0, -erasedSuffix.length)}`, certificate: await readFile(path, 'utf8') };
      }
    },

    async *list() {
      for await (const { name, path } of names()) if (/^[0-9a-f]{64}$/.test(name)) yield { digest: `sha256:${name}`, path };
    },
  };
}

const erasedSuffix = '.erased';
const hexOf = (digest: Digest): string => digest.slice('sha256:'.length);

/** A file of some file systems can have one name only. */
async function linkOrCopy(path: string, target: string): Promise<void> {
  await link(path, target).catch(async (error: NodeJS.ErrnoException) => {
    if (!['EPERM', 'EXDEV', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(error.code ?? '')) throw error;
    await copyFile(path, target);
    await syncFile(target);
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function digestFile(path: string): Promise<Digest> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return `sha256:${hash.digest('hex')}`;
}

function missing(digest: Digest, cause: unknown): UnderstudyError {
  return new UnderstudyError('UND-NOT-FOUND', `There is no blob ${digest}`, { cause });
}

function corrupt(digest: Digest): UnderstudyError {
  return new UnderstudyError('UND-DIGEST', `The blob ${digest} holds other bytes than its name says`);
}
