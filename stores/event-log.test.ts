import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogCursor } from './event-log.ts';
import { openLogReader, openLogWriter, type SegmentFiles } from './event-log-files.ts';
import { beginLife } from './life.ts';

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-log-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
const fresh = () => {
  count += 1;
  return join(root, String(count));
};
const all = async (directory: string) => (await openLogReader({ directory }).tail({})).records;

/** JSON as it may come in, with the characters that some take for the end of a line. */
const anyValue = fc.oneof(fc.jsonValue(), fc.string({ unit: fc.constantFrom('a', '\u2028', '\u2029', '\u0085', '\r', '\n', 'é', '🎩') }));

describe('the log', () => {
  it('gives back what was acknowledged, in order, through seals and a new writer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.constant('seal' as const), fc.constant('reopen' as const), fc.array(anyValue, { maxLength: 5 })), { maxLength: 12 }),
        async (steps) => {
          const directory = fresh();
          let log = await openLogWriter({ directory, writer: 'r1', maxSegmentBytes: 200 });
          const expected: unknown[] = [];
          let cursor: LogCursor = {};
          const followed: unknown[] = [];
          for (const step of steps) {
            if (step === 'seal') await log.seal();
            else if (step === 'reopen') {
              await log.close();
              log = await openLogWriter({ directory, writer: 'r1', maxSegmentBytes: 200 });
            } else {
              const records = step.map((value, index) => ({ index, value: JSON.parse(JSON.stringify(value)) }));
              await log.append(records);
              expected.push(...records);
            }
            const tailed = await openLogReader({ directory }).tail(cursor);
            cursor = tailed.cursor;
            followed.push(...tailed.records);
          }
          await log.close();
          const reader = openLogReader({ directory });
          const sealed: unknown[] = [];
          for await (const record of reader.read(await reader.sealed())) sealed.push(record);
          expect(sealed).toEqual(expected);
          expect(followed).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('commits many appends with few syncs', async () => {
    const directory = fresh();
    const disk = countingDisk();
    const log = await openLogWriter({ directory, writer: 'r1', files: disk.files });
    await Promise.all(Array.from({ length: 500 }, (_, index) => log.append([{ index }])));
    expect(await all(directory)).toHaveLength(500);
    expect(disk.syncs()).toBeLessThan(20);
    await log.close();
  });

  it('cuts a torn tail, counts it, and goes on', async () => {
    const directory = fresh();
    const life = beginLife();
    const log = await openLogWriter({ directory, writer: 'r1', life });
    await log.append([{ id: 1 }, { id: 2 }]);
    life.end();
    const [open = ''] = await readdir(directory);
    await appendFile(join(directory, open), '{"id":3,"half');
    const torn: unknown[] = [];
    const next = await openLogWriter({ directory, writer: 'r1', onTornTail: (one) => torn.push(one) });
    await next.append([{ id: 4 }]);
    expect(await all(directory)).toEqual([{ id: 1 }, { id: 2 }, { id: 4 }]);
    expect(torn).toEqual([{ segment: `r1-00000001~${life.id}`, bytes: 13 }]);
    await next.close();
    // The writer of the first life, which a real death would have taken along with its file handle.
    await log.close().catch(() => undefined);
  });

  it('keeps every acknowledged record on a disk that drops what was not synced', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 40 }), async (appends, operationsBeforeCrash) => {
        const directory = fresh();
        const disk = crashingDisk(operationsBeforeCrash);
        const life = beginLife();
        const log = await openLogWriter({ directory, writer: 'r1', files: disk.files, life });
        const acknowledged: number[] = [];
        for (let index = 0; index < appends; index += 1)
          await log.append([{ index }]).then(
            () => acknowledged.push(index),
            () => undefined,
          );
        await disk.powerCut();
        life.end();
        const recovered = await openLogWriter({ directory, writer: 'r1' });
        await recovered.close();
        const kept = ((await all(directory)) as { index: number }[]).map((record) => record.index);
        expect(kept).toEqual(expect.arrayContaining(acknowledged));
      }),
      { numRuns: 40 },
    );
  });

  it('refuses with a code while the disk is full, keeps nothing of it, and recovers', async () => {
    const directory = fresh();
    const disk = countingDisk();
    const log = await openLogWriter({ directory, writer: 'r1', files: disk.files });
    await log.append([{ id: 1 }]);
    disk.full(true);
    await expect(log.append([{ id: 2 }])).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
    disk.full(false);
    await log.append([{ id: 3 }]);
    expect(await all(directory)).toEqual([{ id: 1 }, { id: 3 }]);
    await log.close();
  });

  it('cuts what was half written before anything else is written or sealed', async () => {
    const directory = fresh();
    const disk = countingDisk();
    const log = await openLogWriter({ directory, writer: 'r1', files: disk.files });
    await log.append([{ id: 1 }]);
    disk.full(true);
    disk.stuck(true);
    await expect(log.append([{ id: 'long enough to stand out behind the next one' }])).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
    disk.full(false);
    await expect(log.append([{ id: 2 }])).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
    disk.stuck(false);
    await log.append([{ id: 3 }]);
    await log.close();
    expect(await all(directory)).toEqual([{ id: 1 }, { id: 3 }]);
  });

  it('cuts from the first hole that a power cut left, and keeps what it cut', async () => {
    const directory = fresh();
    await mkdir(directory);
    const hole = Buffer.concat([Buffer.alloc(40), Buffer.from('"}\n{"id":3}\n')]);
    await writeFile(join(directory, 'r1-00000001.jsonl.open'), Buffer.concat([Buffer.from('{"id":1}\n'), hole]));
    const torn: unknown[] = [];
    await (await openLogWriter({ directory, writer: 'r1', onTornTail: (one) => torn.push(one) })).close();
    expect(await all(directory)).toEqual([{ id: 1 }]);
    expect(torn).toEqual([{ segment: 'r1-00000001', bytes: hole.length }]);
    expect((await readFile(join(directory, 'r1-00000001.cut'))).equals(hole)).toBe(true);
  });

  it('seals by the name alone where the seal cannot be written, as on a full disk', async () => {
    const directory = fresh();
    const life = beginLife();
    const log = await openLogWriter({ directory, writer: 'r1', life });
    const name = `r1-00000001~${life.id}`;
    await log.append([{ id: 1 }]);
    await mkdir(join(directory, `${name}.seal`, 'in-the-way'), { recursive: true });
    const sealed = await log.seal();
    expect(sealed).toMatchObject({ name, records: 1 });
    await log.append([{ id: 2 }]);
    expect(await openLogReader({ directory }).sealed()).toEqual([sealed]);
    await rm(join(directory, `${name}.seal`), { recursive: true });
    await log.close();
    // The next that opens the stream writes what is missing.
    await (await openLogWriter({ directory, writer: 'r1' })).close();
    expect(JSON.parse(await readFile(join(directory, `${name}.seal`), 'utf8'))).toEqual(sealed);
    expect(await all(directory)).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it('acknowledges nothing once it is closed', async () => {
    const directory = fresh();
    const log = await openLogWriter({ directory, writer: 'r1' });
    await log.close();
    await expect(log.append([{ id: 1 }])).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
    expect(await readdir(directory)).toEqual([]);
  });

  it('leaves the open segments of a writer alone whose name begins with its own', async () => {
    const directory = fresh();
    const other = await openLogWriter({ directory, writer: 'r1-b' });
    await other.append([{ id: 1 }]);
    const log = await openLogWriter({ directory, writer: 'r1' });
    expect((await readdir(directory)).filter((file) => file.endsWith('.open'))).toEqual([expect.stringMatching(/^r1-b-00000001~/)]);
    await other.append([{ id: 2 }]);
    expect(await all(directory)).toEqual([{ id: 1 }, { id: 2 }]);
    await Promise.all([log.close(), other.close()]);
  });

  it('shows an altered sealed segment', async () => {
    const directory = fresh();
    const log = await openLogWriter({ directory, writer: 'r1' });
    await log.append([{ id: 1 }]);
    const sealed = await log.seal();
    await writeFile(join(directory, `${sealed?.name}.jsonl`), '{"id":9}\n');
    const read = async () => {
      const reader = openLogReader({ directory });
      for await (const _ of reader.read(await reader.sealed()));
    };
    await expect(read()).rejects.toMatchObject({ code: 'UND-DIGEST' });
    await log.close();
  });
});

/** Real files, counted; while full, half of the bytes arrive and then ENOSPC; while stuck, nothing can be cut off. */
function countingDisk(): { files: SegmentFiles; syncs: () => number; full: (is: boolean) => void; stuck: (is: boolean) => void } {
  let syncs = 0;
  let isFull = false;
  let isStuck = false;
  const files: SegmentFiles = {
    async create(path) {
      const { open } = await import('node:fs/promises');
      const handle = await open(path, 'wx');
      return {
        async write(bytes, position) {
          await handle.write(bytes, 0, isFull ? bytes.length >> 1 : bytes.length, position);
          if (isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        },
        async sync() {
          syncs += 1;
          await handle.datasync();
        },
        async truncate(length) {
          if (isStuck) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
          await handle.truncate(length);
        },
        close: () => handle.close(),
      };
    },
  };
  return {
    files,
    syncs: () => syncs,
    full: (is) => {
      isFull = is;
    },
    stuck: (is) => {
      isStuck = is;
    },
  };
}

/**
 * Bytes live in memory until a sync, names until a sync of their directory; a power cut keeps what was synced, and a torn piece of the rest, with a
 * hole in it.
 */
function crashingDisk(operationsBeforeCrash: number): { files: SegmentFiles; powerCut: () => Promise<void> } {
  const contents = new Map<string, { cached: Buffer; synced: Buffer; named: boolean }>();
  let left = operationsBeforeCrash;
  const operation = () => {
    left -= 1;
    if (left < 0) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
  };
  const files: SegmentFiles = {
    async create(path) {
      operation();
      await writeFile(path, '', { flag: 'wx' });
      const content = { cached: Buffer.alloc(0), synced: Buffer.alloc(0), named: false };
      contents.set(path, content);
      return {
        async write(bytes, position) {
          operation();
          content.cached = Buffer.concat([content.cached.subarray(0, position), bytes]);
        },
        async sync() {
          operation();
          content.synced = content.cached;
        },
        async truncate(length) {
          operation();
          content.cached = content.cached.subarray(0, length);
        },
        async close() {},
      };
    },
    async syncDirectory(path) {
      operation();
      for (const [file, content] of contents) if (dirname(file) === path) content.named = true;
    },
  };
  return {
    files,
    powerCut: async () => {
      for (const [path, { cached, synced, named }] of contents) {
        const rest = cached.subarray(synced.length).map((byte, place) => (place % 3 === 1 ? 0 : byte));
        if (named) await writeFile(path, Buffer.concat([synced, rest]));
        else await rm(path);
      }
    },
  };
}
