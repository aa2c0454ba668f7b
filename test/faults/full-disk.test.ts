import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { quietBeat } from '../../activities/events/testing.ts';
import { openTrainings } from '../../activities/training/testing.ts';
import { trainCandidate } from '../../activities/training/train-candidate.ts';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import { openState, readLatest } from '../../activities/context.ts';
import { withDuck } from '../../activities/events/duckdb.ts';
import { digestSource } from '../../activities/events/source-bytes.ts';
import { ingestSource } from '../../activities/events/ingest-source.ts';
import { cutWindow } from '../../activities/windows/cut-window.ts';
import { codedError } from '../../cli/coded-error.ts';
import { parseStoredCharter } from '../../models/contracts/charter.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { dataState } from '../../models/contracts/window.ts';
import { createRandom } from '../../models/random.ts';
import { getDocument } from '../../stores/blobs.ts';
import { openLogWriter } from '../../stores/event-log-files.ts';
import { recorded, refusal, refuseWhere } from './recorded-fs.ts';
import { contextOf, makeWorld, surface } from './world.ts';

vi.mock('node:fs/promises', async (original) => (await import('./recorded-fs.ts')).recording(await original<typeof import('node:fs/promises')>()));

const disks = {
  'that is full': { code: 'ENOSPC', refuses: ['create', 'write', 'sync', 'mkdir', 'link'] },
  'that became read-only': { code: 'EROFS', refuses: ['create', 'write', 'mkdir', 'link', 'rename', 'unlink'] },
  'that is not ours to write': { code: 'EACCES', refuses: ['create', 'mkdir', 'link', 'rename', 'unlink'] },
};

it.each(Object.entries(disks))(
  'a disk %s, from any moment of an ingest on, is said by its code, and leaves the last good window',
  async (_, { code, refuses }) => {
    const folder = await mkdtemp(join(tmpdir(), 'understudy-disk-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const world = await makeWorld({ folder, signingKey: '' });
    const { stateDir, charter, mapping } = world;
    const ingest = async (path: string) =>
      ingestSource(
        contextOf(world),
        { surface, charter, mapping, source: { path, name: 'events', digest: (await digestSource(path)).digest }, endsAt: null },
        quietBeat,
      );
    /** What can be read of it, by stores that have verified nothing yet. */
    const window = async () => {
      const { blobs, generations } = openState(stateDir);
      const data = (await readLatest(generations, `data/${surface}`, dataState))?.document;
      if (data === undefined) throw new Error('no data');
      const cut = cutWindow({ dataState: data, charter: await getDocument(blobs, charter, { parse: parseStoredCharter }), rulesDigest: digestJson('rules') });
      for (const { digest } of [...cut.trainSlices, ...cut.testSlices]) await blobs.get(digest);
      await blobs.get(cut.catalog);
      return cut;
    };
    await ingest(world.files[0]);
    const good = await window();
    const random = createRandom(Number(process.env.UNDERSTUDY_TEST_SEED));
    const seen = [good];
    await recorded(stateDir, async () => {
      for (let attempt = 0; attempt < 8; attempt += 1) {
        // The first attempts fail for certain: any delivery writes more.
        let left = random.below(attempt < 2 ? 12 : 60);
        refuseWhere(({ op, path }) => {
          if (!refuses.includes(op)) return undefined;
          left -= 1;
          return left < 0 ? refusal(code, path) : undefined;
        });
        const error = await ingest(world.files[1]).then(
          () => undefined,
          (cause) => codedError(cause),
        );
        refuseWhere(() => undefined);
        if (error === undefined) break;
        expect(error).toMatchObject({ code: 'UND-STATE', message: expect.stringContaining(code) });
        seen.push(await window());
      }
      refuseWhere(() => undefined);
      await ingest(world.files[1]);
    });
    const next = await window();
    expect(seen.length).toBeGreaterThan(1);
    expect(next.test.to).not.toBe(good.test.to);
    // Where only what comes behind the data could not be written, the next window stands already, as whole.
    for (const one of seen) expect([good, next]).toContainEqual(one);
  },
);

it('a disk that fills while a model trains is said by its code; what was kept before is gone on from when there is room again, to the same model', async () => {
  const startMs = Date.UTC(2026, 0, 5);
  const dayMs = 86_400_000;
  const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
  const happenings = happeningsOf(drawPurchases({ users: 60, items: 30, tastes: 3, faith: 0.9, perUser: 10, days: 10, zipf: 0.5, fresh: 0, seed }), startMs);
  const candidates = [{ name: 'ials', algorithm: 'ials', params: { factors: 4, sweeps: 12 } }];
  const charter = { window: { trainDays: 6, gapDays: 1, testDays: 2 }, bootstrap: 'ials', candidates };
  const { context, until, prepareAll } = await openTrainings({ happenings, charter, nowMs: startMs + 11 * dayMs });
  await until(0);
  const [work] = await prepareAll();
  if (work === undefined) throw new Error('nothing to train');
  // Every step is long enough for a checkpoint.
  let nowMs = startMs;
  context.now = () => (nowMs += 6_000);
  /** @param room for so many checkpoints and what they are written with */
  const train = async (room: number, resume?: unknown) => {
    let left = room;
    let last: unknown;
    refuseWhere(({ op, path }) => {
      if (!['create', 'write', 'link'].includes(op) || !path.includes('/checkpoints/')) return undefined;
      left -= 1;
      return left < 0 ? refusal('ENOSPC', path) : undefined;
    });
    const beat = (details?: unknown): void => {
      if (details !== undefined) last = details;
    };
    const outcome = await trainCandidate(context, work, { ...quietBeat, resumeDetails: resume, beat }).catch(codedError);
    refuseWhere(() => undefined);
    return { outcome, last };
  };
  await recorded(context.state.root, async () => {
    const whole = await train(Number.POSITIVE_INFINITY);
    expect(whole.outcome).toMatchObject({ parityPassed: true, resumedFrom: 0 });
    const random = createRandom(seed);
    for (const room of [0, 1 + random.below(12), 20]) {
      const cut = await train(room);
      expect(cut.outcome).toMatchObject({ code: 'UND-STATE', message: expect.stringContaining('ENOSPC') });
      const again = await train(Number.POSITIVE_INFINITY, cut.last);
      expect(again.outcome).toEqual({
        ...whole.outcome,
        trainSeconds: expect.any(Number),
        resumedFrom: (cut.last as { done?: number } | undefined)?.done ?? 0,
      });
    }
  });
});

it('a log on a disk that is full refuses what it cannot keep, and takes it when there is room again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-disk-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await recorded(folder, async () => {
    const writer = await openLogWriter({ directory: join(folder, 'log'), writer: 'w' });
    await writer.append([{ id: 1 }]);
    refuseWhere(({ op, path }) => (op === 'write' ? refusal('ENOSPC', path) : undefined));
    await expect(writer.append([{ id: 2 }])).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
    refuseWhere(() => undefined);
    await writer.append([{ id: 3 }]);
    await writer.close();
  });
});

it('what DuckDB cannot write is said by its code too', async () => {
  const written = withDuck({ workDir: tmpdir() }, (duck) =>
    duck.run("COPY (SELECT range FROM range(100000)) TO '/dev/full' (FORMAT parquet, USE_TMP_FILE false)"),
  );
  expect(codedError(await written.catch((error) => error))).toMatchObject({ code: 'UND-STATE', message: expect.stringContaining('/dev/full') });
});
