import type * as fsPromises from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';

/*
 * `node:fs/promises` as it is, with a record of what was done below one folder, from which `power-cut.ts` tells what a power cut would have left of it; and
 * with a disk that refuses where a test asks for it. Everything is done on the real disk.
 */

export type Op =
  | { op: 'mkdir' | 'unlink' | 'sync-directory'; path: string }
  | { op: 'link'; path: string; to: string }
  | { op: 'rename'; path: string; to: string }
  /** A file that was made by somebody else is there with its content when it is first touched, and nothing of it was synced. */
  | { op: 'create'; path: string; file: number; content: Buffer }
  | { op: 'write'; file: number; content: Buffer }
  | { op: 'sync'; file: number }
  /** What the code under test has promised by now. */
  | { op: 'mark'; mark: string };

type Real = typeof fsPromises;
type Refuse = (call: { op: Op['op']; path: string }) => NodeJS.ErrnoException | undefined;

let real: Real | undefined;
let root: string | undefined;
let ops: Op[] = [];
let refuse: Refuse = () => undefined;
let files = 0;
/** Which file a path names now, and what each file holds. */
const fileAt = new Map<string, number>();
const contents = new Map<number, Buffer>();

const watched = (path: unknown): path is string => root !== undefined && typeof path === 'string' && `${resolve(path)}${sep}`.startsWith(root + sep);

/** Records what `work` does below `folder`, which must be empty. */
export async function recorded(folder: string, work: (mark: (mark: string) => void) => Promise<void>): Promise<Op[]> {
  root = resolve(folder);
  ops = [];
  fileAt.clear();
  contents.clear();
  try {
    await work((mark) => void ops.push({ op: 'mark', mark }));
    return ops;
  } finally {
    root = undefined;
    refuse = () => undefined;
  }
}

/** From now on, until the record ends, calls below the folder fail where `next` says so. */
export function refuseWhere(next: Refuse): void {
  refuse = next;
}

export const refusal = (code: string, path: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`${code}: refused by the test, '${path}'`), { code, path });

function begin(op: Op['op'], path: string): void {
  const error = refuse({ op, path });
  if (error !== undefined) throw error;
}

async function fileOf(path: string): Promise<number> {
  const known = fileAt.get(path);
  if (known !== undefined) return known;
  return created(path, await (real as Real).readFile(path));
}

function created(path: string, content: Buffer): number {
  files += 1;
  fileAt.set(path, files);
  contents.set(files, content);
  ops.push({ op: 'create', path, file: files, content });
  return files;
}

function holds(file: number, content: Buffer): void {
  contents.set(file, content);
  ops.push({ op: 'write', file, content });
}

const placed = (before: Buffer, bytes: Uint8Array, position: number): Buffer => {
  const after = Buffer.alloc(Math.max(before.length, position + bytes.length));
  before.copy(after);
  after.set(bytes, position);
  return after;
};

/** The handle of a watched file, or of a watched directory. */
function watchedHandle(handle: fsPromises.FileHandle, path: string, file: number | undefined): fsPromises.FileHandle {
  const sync = async (run: () => Promise<void>): Promise<void> => {
    begin(file === undefined ? 'sync-directory' : 'sync', path);
    await run();
    ops.push(file === undefined ? { op: 'sync-directory', path } : { op: 'sync', file });
  };
  const own: Partial<fsPromises.FileHandle> = {
    sync: () => sync(() => handle.sync()),
    datasync: () => sync(() => handle.datasync()),
    async writeFile(data) {
      begin('write', path);
      await handle.writeFile(data);
      holds(file ?? 0, Buffer.from(data as string));
    },
    write: (async (bytes: Uint8Array, offset: number, length: number, position: number) => {
      begin('write', path);
      const result = await handle.write(bytes, offset, length, position);
      holds(file ?? 0, placed(contents.get(file ?? 0) ?? Buffer.alloc(0), bytes.subarray(offset, offset + result.bytesWritten), position));
      return result;
    }) as fsPromises.FileHandle['write'],
    async truncate(length = 0) {
      begin('write', path);
      await handle.truncate(length);
      holds(file ?? 0, Buffer.from((contents.get(file ?? 0) ?? Buffer.alloc(0)).subarray(0, length)));
    },
  };
  return new Proxy(handle, {
    get(target, key) {
      const value = key in own ? own[key as keyof typeof own] : Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** What `vi.mock('node:fs/promises')` is to give. */
export function recording(original: Real): Real {
  real = original;
  const changed: Partial<Real> = {
    open: (async (path: string, flags?: string, mode?: number) => {
      if (!watched(path)) return original.open(path, flags, mode);
      const makes = flags !== undefined && flags !== 'r';
      if (makes) begin('create', path);
      const handle = await original.open(path, flags, mode);
      if (makes) return watchedHandle(handle, path, created(resolve(path), Buffer.alloc(0)));
      return watchedHandle(handle, resolve(path), (await handle.stat()).isDirectory() ? undefined : await fileOf(resolve(path)));
    }) as Real['open'],
    mkdir: (async (path: string, options: { recursive: true }) => {
      if (!watched(path)) return original.mkdir(path, options);
      begin('mkdir', path);
      const first = await original.mkdir(path, options);
      if (first === undefined) return first;
      const made: string[] = [];
      for (let one = resolve(path); one.length >= resolve(first).length; one = dirname(one)) made.unshift(one);
      for (const one of made) ops.push({ op: 'mkdir', path: one });
      return first;
    }) as Real['mkdir'],
    link: async (from, to) => {
      if (!watched(to)) return original.link(from, to);
      begin('link', String(to));
      const file = await fileOf(resolve(String(from)));
      await original.link(from, to);
      fileAt.set(resolve(to), file);
      ops.push({ op: 'link', path: resolve(String(from)), to: resolve(to) });
    },
    rename: async (from, to) => {
      if (!watched(to)) return original.rename(from, to);
      begin('rename', String(to));
      const file = await fileOf(resolve(String(from)));
      await original.rename(from, to);
      fileAt.delete(resolve(String(from)));
      fileAt.set(resolve(to), file);
      ops.push({ op: 'rename', path: resolve(String(from)), to: resolve(to) });
    },
    unlink: async (path) => {
      if (!watched(path)) return original.unlink(path);
      begin('unlink', path);
      await original.unlink(path);
      fileAt.delete(resolve(path));
      ops.push({ op: 'unlink', path: resolve(path) });
    },
    rm: async (path, options) => {
      const there = watched(path) && (await original.stat(path).catch(() => undefined))?.isFile() === true;
      if (there) begin('unlink', path);
      await original.rm(path, options);
      if (!there) return;
      fileAt.delete(resolve(path));
      ops.push({ op: 'unlink', path: resolve(path) });
    },
    copyFile: async (from, to) => {
      if (watched(to)) begin('create', to);
      await original.copyFile(from, to);
      if (watched(to)) created(resolve(to), await original.readFile(to));
    },
  };
  return { ...original, ...changed, default: { ...original, ...changed } } as Real;
}
