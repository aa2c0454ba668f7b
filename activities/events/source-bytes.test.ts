import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestBytes } from '../../models/contracts/digest.ts';
import { readThrough } from './source-bytes.ts';
import { withBench } from './testing.ts';

const withChecksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
const packers = [
  ['.gz', (bytes: Buffer) => gzipSync(bytes)],
  ['.zst', (bytes: Buffer) => zstdCompressSync(bytes, withChecksum)],
] as const;
const limitBytes = 1 << 22;
const read = (path: string, limit = limitBytes) => readThrough({ path, quote: '"', signal: undefined, limitBytes: limit });

describe('readThrough', () => {
  it.each(packers)('unpacks %s, however many members it is made of, and says of each cut of the last that it is cut', (suffix, pack) =>
    withBench(async ({ folder }) => {
      const path = join(folder, `a.csv${suffix}`);
      const parts = fc.array(
        fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        { minLength: 1, maxLength: 5 },
      );
      await fc.assert(
        fc.asyncProperty(parts, fc.nat(), async (members, cut) => {
          const packed = members.map((bytes) => pack(bytes));
          const whole = Buffer.concat(packed);
          await writeFile(path, whole);
          const all = Buffer.concat(members);
          expect(await read(path)).toMatchObject({ head: all, unpackedBytes: all.length, bytes: whole.length, digest: digestBytes(whole) });
          const last = packed.at(-1)?.length ?? 0;
          await writeFile(path, whole.subarray(0, whole.length - 1 - (cut % (last - 1))));
          await expect(read(path)).rejects.toThrow();
          await writeFile(path, Buffer.concat([whole, Buffer.from('not packed')]));
          await expect(read(path)).rejects.toThrow();
        }),
        { numRuns: 30, seed: Number(process.env.UNDERSTUDY_TEST_SEED) },
      );
    }),
  );

  it.each(packers)('never gives other bytes for a flipped bit in %s', (suffix, pack) =>
    withBench(async ({ folder }) => {
      const path = join(folder, `a.csv${suffix}`);
      const whole = Buffer.from(Array.from({ length: 3_000 }, (_, index) => `u${index % 77},i${(index * index) % 911}\n`).join(''));
      const packed = pack(whole);
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 10, max: packed.length - 9 }), fc.nat(7), async (at, bit) => {
          const flipped = Buffer.from(packed);
          flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
          await writeFile(path, flipped);
          // Some bits say nothing: then what comes out is what went in.
          const right = await read(path).then(
            ({ head }) => head.equals(whole),
            () => true,
          );
          expect(right).toBe(true);
        }),
        { numRuns: 60, seed: Number(process.env.UNDERSTUDY_TEST_SEED) },
      );
    }),
  );

  it.each(packers)('does not unpack a bomb of %s to its end, nor keep it', (suffix, pack) =>
    withBench(async ({ folder }) => {
      const path = join(folder, `bomb.csv${suffix}`);
      await writeFile(path, Buffer.concat(Array.from({ length: 20 }, () => pack(Buffer.alloc(1 << 20)))));
      expect((await read(path, 20 << 20)).unpackedBytes).toBe(20 << 20);
      await expect(read(path, (20 << 20) - 1)).rejects.toMatchObject({
        code: 'UND-FILE',
        message: expect.stringMatching(/unpacks to more than 20971519 bytes/),
      });
    }),
  );
});
