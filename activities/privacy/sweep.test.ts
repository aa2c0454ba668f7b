import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { withBench } from '../events/testing.ts';
import { searchFor, tracesOf } from './sweep.ts';

/** Files are read in pieces of so many bytes. */
const pieceBytes = 1 << 20;

it('finds what names somebody wherever it stands in a file, also across two pieces of it, and nobody else', async () => {
  await withBench(async ({ folder }) => {
    const path = join(folder, 'document');
    const id = fc.oneof(fc.stringMatching(/^[a-c0-1]{1,4}$/), fc.constantFrom('é', '😀', `p_${'x'.repeat(22)}`, 'o"x'));
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(id, { minLength: 1, maxLength: 5 }),
        fc.stringMatching(/^["u:a-c0-1[\]\\]{1,40}$/),
        fc.option(fc.tuple(fc.nat(), fc.oneof(fc.integer({ min: -40, max: 4 }), fc.integer({ min: -pieceBytes, max: pieceBytes / 2 })))),
        async (ids, filler, put) => {
          const traces = tracesOf({ userIds: ids, sessionIds: [], deviceIds: [] });
          const bytes = Buffer.alloc(2 * pieceBytes, filler);
          if (put !== null) (traces[put[0] % traces.length] as Buffer).copy(bytes, pieceBytes + put[1]);
          await writeFile(path, bytes);
          expect(await searchFor(traces)(path)).toBe(traces.some((trace) => bytes.includes(trace)));
        },
      ),
      { numRuns: 60 },
    );
    expect(await searchFor([])(path)).toBe(false);
    expect(await searchFor(tracesOf({ userIds: ['u'], sessionIds: [], deviceIds: [] }))(join(folder, 'gone'))).toBe(false);
  });
});
