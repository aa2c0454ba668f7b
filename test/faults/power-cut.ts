import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Random } from '../../models/random.ts';
import type { Op } from './recorded-fs.ts';

/*
 * What a power cut leaves of a folder, by what POSIX promises and no more: of a file what was there at its last fsync, of a directory the names that it had
 * at its last fsync. What was not synced may be there, or not: each change of a name, and what was written to each file, for itself. A rename is one change.
 */

type File = { kind: 'file'; content: Buffer; synced: Buffer };
/** `pending`: changes since the last fsync, in their order; `op` is the operation that they are of. */
type Directory = { kind: 'directory'; now: Map<string, Entry>; durable: Map<string, Entry>; pending: Change[] };
type Entry = File | Directory;
type Change = { op: Op; name: string; entry: Entry | undefined };

const directory = (): Directory => ({ kind: 'directory', now: new Map(), durable: new Map(), pending: [] });

function apply(names: Map<string, Entry>, { name, entry }: Change): void {
  if (entry === undefined) names.delete(name);
  else names.set(name, entry);
}

/** The disk behind the first `count` operations. */
export function diskAfter(ops: readonly Op[], { root, count }: { root: string; count: number }): Directory {
  const top = directory();
  const files = new Map<number, File>();
  const at = (path: string): Directory => {
    if (path === root) return top;
    const found = at(dirname(path)).now.get(basename(path));
    if (found?.kind !== 'directory') throw new Error(`${path} is not known to be a directory`);
    return found;
  };
  const change = (op: Op, path: string, entry: Entry | undefined): void => {
    const parent = at(dirname(path));
    const one = { op, name: basename(path), entry };
    apply(parent.now, one);
    parent.pending.push(one);
  };
  for (const op of ops.slice(0, count)) {
    if (op.op === 'mark') continue;
    if (op.op === 'write') (files.get(op.file) as File).content = op.content;
    else if (op.op === 'sync') (files.get(op.file) as File).synced = (files.get(op.file) as File).content;
    else if (op.op === 'sync-directory') Object.assign(at(op.path), { durable: new Map(at(op.path).now), pending: [] });
    else if (op.op === 'mkdir') change(op, op.path, directory());
    else if (op.op === 'unlink') change(op, op.path, undefined);
    else if (op.op === 'create') {
      const file: File = { kind: 'file', content: op.content, synced: Buffer.alloc(0) };
      files.set(op.file, file);
      change(op, op.path, file);
    } else if (op.op === 'link' || op.op === 'rename') {
      const entry = at(dirname(op.path)).now.get(basename(op.path));
      if (op.op === 'rename') change(op, op.path, undefined);
      change(op, op.to, entry);
    }
  }
  return top;
}

/** Builds below `target` what is left: without `random` nothing that was not synced, with it some of that. */
export async function layOut(disk: Directory, { target, random }: { target: string; random?: Random | undefined }): Promise<void> {
  const fates = new Map<Op, boolean>();
  const isLucky = (op: Op): boolean => {
    const fate = fates.get(op) ?? (random !== undefined && random.float() < 0.5);
    fates.set(op, fate);
    return fate;
  };
  const lay = async ({ durable, pending }: Directory, path: string): Promise<void> => {
    await mkdir(path, { recursive: true });
    const names = new Map(durable);
    for (const change of pending) if (isLucky(change.op)) apply(names, change);
    for (const [name, entry] of names) {
      if (entry.kind === 'directory') await lay(entry, join(path, name));
      else await writeFile(join(path, name), random === undefined ? entry.synced : torn(entry, random));
    }
  };
  await lay(disk, target);
}

/** What was synced, and some of what was written behind it since. */
function torn({ content, synced }: File, random: Random): Buffer {
  const least = Math.min(synced.length, content.length);
  return content.subarray(0, random.float() < 0.5 ? content.length : least + random.below(content.length - least + 1));
}
