import { mkdir, mkdtemp, open, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLogReader, openLogWriter, type SegmentFiles } from './event-log-files.ts';
import { beginLife, isOver } from './life.ts';
import { scanLog } from './scan-log.ts';

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-lives-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
const fresh = () => {
  count += 1;
  return join(root, String(count));
};
const all = async (directory: string) => (await openLogReader({ directory }).tail({})).records;
async function sealedRecords(directory: string): Promise<unknown[]> {
  const reader = openLogReader({ directory });
  const records: unknown[] = [];
  for await (const record of reader.read(await reader.sealed())) records.push(record);
  return records;
}
const openFiles = async (directory: string) => (await readdir(directory)).filter((file) => file.endsWith('.open'));

describe('two lives of one writer', () => {
  it('never share a segment: what either acknowledges is read by all', async () => {
    const directory = fresh();
    const first = await openLogWriter({ directory, writer: 'r1' });
    await first.append([{ id: 'a1' }]);
    const second = await openLogWriter({ directory, writer: 'r1' });
    await Promise.all([first.append([{ id: 'a2' }]), second.append([{ id: 'b1' }])]);
    await second.seal();
    await first.append([{ id: 'a3' }]);
    await Promise.all([first.close(), second.close()]);
    const ids = (await sealedRecords(directory)).map((record) => (record as { id: string }).id);
    expect(ids.sort()).toEqual(['a1', 'a2', 'a3', 'b1']);
  });

  it('the one that slept finds its segment gone, acknowledges nothing that only it can see, and goes on in another', async () => {
    const directory = fresh();
    const life = beginLife();
    const sleeper = await openLogWriter({ directory, writer: 'r1', life });
    await sleeper.append([{ id: 1 }]);
    // Taken for dead, as a process on another machine is that is silent for long.
    life.end();
    const heir = await openLogWriter({ directory, writer: 'r1' });
    expect(await sealedRecords(directory)).toEqual([{ id: 1 }]);
    await expect(sleeper.append([{ id: 2 }])).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
    await sleeper.append([{ id: 2 }]);
    await heir.append([{ id: 3 }]);
    await Promise.all([sleeper.close(), heir.close()]);
    expect((await sealedRecords(directory)).map((record) => (record as { id: number }).id).sort()).toEqual([1, 2, 3]);
  });

  it('do not disturb each other’s recovery: one takes the segment, and one that died over it is followed by another', async () => {
    const directory = fresh();
    const [dead, taker] = [beginLife(), beginLife()];
    const log = await openLogWriter({ directory, writer: 'r1', life: dead });
    await log.append([{ id: 1 }]);
    dead.end();
    const [file = ''] = await openFiles(directory);
    await rename(join(directory, file), join(directory, file.replace('.open', `.${taker.id}.open`)));
    await (await openLogWriter({ directory, writer: 'r1' })).close();
    // The taker is alive: it is left to it, and readers still see what is in it.
    expect(await openFiles(directory)).toHaveLength(1);
    expect(await all(directory)).toEqual([{ id: 1 }]);
    taker.end();
    await Promise.all(Array.from({ length: 4 }, async () => (await openLogWriter({ directory, writer: 'r1' })).close()));
    expect(await openFiles(directory)).toEqual([]);
    expect(await sealedRecords(directory)).toEqual([{ id: 1 }]);
    await log.close().catch(() => undefined);
  });

  it('on machines that know nothing of each other wait until the other is silent', async () => {
    const directory = fresh();
    await mkdir(directory);
    const elsewhere = `r1-00000007~other000.kernel00.numbers0.1.1.1.jsonl.open`;
    expect(isOver('other000.kernel00.numbers0.1.1.1')).toBeUndefined();
    await writeFile(join(directory, elsewhere), '{"id":1}\n');
    const log = await openLogWriter({ directory, writer: 'r1' });
    expect(await openFiles(directory)).toEqual([elsewhere]);
    const before = new Date(Date.now() - 60_000);
    await utimes(join(directory, elsewhere), before, before);
    await log.append([{ id: 2 }]);
    await log.seal();
    expect(await sealedRecords(directory)).toEqual([{ id: 1 }, { id: 2 }]);
    await log.close();
  });

  it('read the segments of before lives had names', async () => {
    const directory = fresh();
    await mkdir(directory);
    await writeFile(join(directory, 'r1-00000003.jsonl.open'), '{"id":1}\n{"id":2');
    await (await openLogWriter({ directory, writer: 'r1' })).close();
    expect(await sealedRecords(directory)).toEqual([{ id: 1 }]);
    expect((await readdir(directory)).sort()).toEqual(['r1-00000003.jsonl', 'r1-00000003.seal']);
  });
});

describe('a reader that follows', () => {
  /** Writes up to and with the first line feed, then says that the disk is full; `stuck`: nothing can be cut off. */
  function fullDisk() {
    const is = { full: false, stuck: false };
    const files: SegmentFiles = {
      async create(path) {
        const handle = await open(path, 'wx');
        return {
          async write(bytes, position) {
            await handle.write(bytes, 0, is.full ? Buffer.from(bytes).indexOf(0x0a) + 1 : bytes.length, position);
            if (is.full) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
          },
          sync: () => handle.datasync(),
          async truncate(length) {
            if (is.stuck) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
            await handle.truncate(length);
          },
          close: () => handle.close(),
        };
      },
    };
    return { files, is };
  }

  it('misses nothing after it has seen lines of an append that was refused', async () => {
    const directory = fresh();
    const { files, is } = fullDisk();
    const log = await openLogWriter({ directory, writer: 'r1', files });
    const reader = openLogReader({ directory });
    await log.append([{ id: 1 }]);
    Object.assign(is, { full: true, stuck: true });
    await expect(log.append([{ id: 'refused, and rather long' }, { id: 'refused' }])).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
    const seen = await reader.tail({});
    expect(seen.records).toHaveLength(2);
    Object.assign(is, { full: false, stuck: false });
    await log.append([{ id: 2 }]);
    await log.append([{ id: 3, text: 'longer than what was refused' }]);
    expect((await reader.tail(seen.cursor)).records).toEqual([{ id: 2 }, { id: 3, text: expect.any(String) }]);
    await log.close();
    expect(await sealedRecords(directory)).toEqual([{ id: 1 }, { id: 2 }, expect.objectContaining({ id: 3 })]);
  });

  it('begins a segment again whose bytes were written over behind its back', async () => {
    const directory = fresh();
    await mkdir(directory);
    const path = join(directory, 'r1-00000001.jsonl.open');
    await writeFile(path, '{"id":1}\n{"id":"refused"}\n');
    const reader = openLogReader({ directory });
    const { cursor } = await reader.tail({});
    await writeFile(path, '{"id":1}\n{"id":2,"text":"longer than that"}\n');
    expect((await reader.tail(cursor)).records).toEqual([{ id: 1 }, { id: 2, text: 'longer than that' }]);
  });

  it('stops before a hole in an open segment, and reads on once it is cut', async () => {
    const directory = fresh();
    await mkdir(directory);
    const path = join(directory, 'r1-00000001.jsonl.open');
    await writeFile(path, Buffer.concat([Buffer.from('{"id":1}\n'), Buffer.alloc(9), Buffer.from('"}\n{"id":2}\n')]));
    const reader = openLogReader({ directory });
    const first = await reader.tail({});
    expect(first.records).toEqual([{ id: 1 }]);
    expect((await reader.tail(first.cursor)).records).toEqual([]);
    await writeFile(path, '{"id":1}\n{"id":3}\n');
    expect((await reader.tail(first.cursor)).records).toEqual([{ id: 3 }]);
  });
});

it('says for how long the disk owes an answer, and takes no more than it may while it does', async () => {
  const directory = fresh();
  let answer = (): void => undefined;
  const files: SegmentFiles = {
    async create(path) {
      const handle = await open(path, 'wx');
      const sync = () => new Promise<void>((resolve) => (answer = resolve));
      return {
        write: async (bytes, position) => void (await handle.write(bytes, 0, bytes.length, position)),
        sync,
        truncate: (length) => handle.truncate(length),
        close: () => handle.close(),
      };
    },
  };
  const log = await openLogWriter({ directory, writer: 'r1', files, maxWaitingBytes: 100 });
  expect(log.waitingMs()).toBe(0);
  const first = log.append([{ text: 'x'.repeat(60) }]);
  const second = log.append([{ id: 2 }]);
  await expect(log.append([{ text: 'y'.repeat(60) }])).rejects.toMatchObject({ code: 'UND-OVERLOADED' });
  expect(log.waitingMs()).toBeGreaterThan(0);
  const settled = Promise.all([first, second]).then(() => true);
  while (!(await Promise.race([settled, new Promise<boolean>((resolve) => setImmediate(resolve, false))]))) answer();
  expect(log.waitingMs()).toBe(0);
  expect(await all(directory)).toHaveLength(2);
  await log.close();
});

describe('a scan of the log', () => {
  /** Four segments of three records, the oldest first. */
  async function four() {
    const directory = fresh();
    const names: string[] = [];
    const log = await openLogWriter({ directory, writer: 'r1' });
    for (let segment = 0; segment < 4; segment += 1) {
      await log.append([0, 1, 2].map((place) => ({ id: segment * 3 + place, segment })));
      names.push((await log.seal())?.name ?? '');
      const at = new Date(Date.now() - (10 - segment) * 60_000);
      await utimes(join(directory, `${names[segment]}.jsonl`), at, at);
    }
    await log.append([{ id: 12, segment: 4 }]);
    return { directory, names, log };
  }
  async function scan(directory: string, options: Partial<Parameters<typeof scanLog>[0]> = {}) {
    const ids: number[] = [];
    const damaged: string[] = [];
    const take = (record: unknown) => void ids.push((record as { id: number }).id);
    const cursor = await scanLog({ directory, take, onDamaged: ({ segment }) => damaged.push(segment), ...options });
    return { ids, damaged, cursor };
  }

  it('reads no further back than it is asked to, and ends where a tail goes on', async () => {
    const { directory, log } = await four();
    const { ids, damaged, cursor } = await scan(directory, { atLeast: 6 });
    expect(ids).toEqual([6, 7, 8, 9, 10, 11, 12]);
    expect(damaged).toEqual([]);
    await log.append([{ id: 13 }]);
    expect((await openLogReader({ directory }).tail(cursor)).records).toEqual([{ id: 13 }]);
    expect((await scan(directory, { writtenSinceMs: Date.now() - 8.5 * 60_000, containing: '"segment":3' })).ids).toEqual([9, 10, 11]);
    await log.close();
  });

  it('passes over what is damaged, says which, and goes on', async () => {
    const { directory, names, log } = await four();
    const [first = '', second = '', third = ''] = names;
    await writeFile(join(directory, `${first}.seal`), '{"name":');
    await writeFile(join(directory, `${second}.jsonl`), '{"id":3}\n{"id":\n{"id":5}\n');
    await writeFile(join(directory, `${third}.jsonl`), '{"id":66}\n');
    const { ids, damaged } = await scan(directory);
    expect(ids.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 5, 9, 10, 11, 12, 66]);
    expect(damaged.sort()).toEqual([first, second, third].sort());
    await log.close();
  });
});
