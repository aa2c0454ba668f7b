import { appendFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogCursor } from './event-log.ts';
import { openLogReader, openLogWriter, type SegmentFiles } from './event-log-files.ts';

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

describe('the log', () => {
  it('gives back what was acknowledged, in order, through seals and a new writer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.constant('seal' as const), fc.constant('reopen' as const), fc.array(fc.jsonValue(), { maxLength: 5 })), { maxLength: 12 }), async (steps) => {
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
      }),
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
    const log = await openLogWriter({ directory, writer: 'r1' });
    await log.append([{ id: 1 }, { id: 2 }]);
    const [open = ''] = await readdir(directory);
    await appendFile(join(directory, open), '{"id":3,"half');
    const torn: unknown[] = [];
    const next = await openLogWriter({ directory, writer: 'r1', onTornTail: (one) => torn.push(one) });
    await next.append([{ id: 4 }]);
    expect(await all(directory)).toEqual([{ id: 1 }, { id: 2 }, { id: 4 }]);
    expect(torn).toEqual([{ segment: 'r1-00000001', bytes: 13 }]);
    await next.close();
  });

  it('keeps every acknowledged record on a disk that drops what was not synced', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 40 }), async (appends, operationsBeforeCrash) => {
        const directory = fresh();
        const disk = crashingDisk(operationsBeforeCrash);
        const log = await openLogWriter({ directory, writer: 'r1', files: disk.files });
        const acknowledged: number[] = [];
        for (let index = 0; index < appends; index += 1) await log.append([{ index }]).then(() => acknowledged.push(index), () => undefined);
        await disk.powerCut();
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

/** Real files, counted; while full, half of the bytes arrive and then ENOSPC. */
function countingDisk(): { files: SegmentFiles; syncs: () => number; full: (is: boolean) => void } {
  let syncs = 0;
  let isFull = false;
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
        truncate: (length) => handle.truncate(length),
        close: () => handle.close(),
      };
    },
  };
  return { files, syncs: () => syncs, full: (is) => { isFull = is; } };
}

/** Bytes live in memory until a sync; a power cut keeps the synced ones, and a torn piece of the rest. */
function crashingDisk(operationsBeforeCrash: number): { files: SegmentFiles; powerCut: () => Promise<void> } {
  const contents = new Map<string, { cached: Buffer; synced: Buffer }>();
  let left = operationsBeforeCrash;
  const operation = () => {
    left -= 1;
    if (left < 0) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
  };
  const files: SegmentFiles = {
    async create(path) {
      operation();
      await writeFile(path, '', { flag: 'wx' });
      const content = { cached: Buffer.alloc(0), synced: Buffer.alloc(0) };
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
  };
  return {
    files,
    powerCut: async () => {
      for (const [path, { cached, synced }] of contents) await writeFile(path, Buffer.concat([synced, cached.subarray(synced.length, synced.length + 3)]));
    },
  };
}
