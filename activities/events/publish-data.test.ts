import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DataState, dataState } from '../../models/contracts/window.ts';
import { putDocument } from '../../stores/blobs.ts';
import type { GenerationStore } from '../../stores/generations.ts';
import { readLedger } from '../../stores/ledger.ts';
import { type Context, readLatest } from '../context.ts';
import { columnMapping } from './column-mapping.ts';
import { type IngestedBatch, ingestBatch } from './ingest-batch.ts';
import { ingestSource } from './ingest-source.ts';
import { publishData } from './publish-data.ts';
import { replayQuarantine } from './replay-quarantine.ts';
import { digestSource } from './source-bytes.ts';
import { benchContext, quietBeat, testCharter, withBench } from './testing.ts';

const mapping = columnMapping({ user: 'user', item: 'item', at: 'at', constantKind: 'view' });
const dataOf = async ({ state }: Context): Promise<DataState | undefined> => (await readLatest(state.generations, 'data/home', dataState))?.document;
const bench = (use: (context: Context, folder: string) => Promise<void>) => withBench(({ folder }) => use(benchContext(join(folder, 'state')), folder));

async function ingest(context: Context, folder: string, { file, rows }: { file: string; rows: readonly string[] }) {
  const { blobs } = context.state;
  const path = join(folder, file);
  await writeFile(path, `user,item,at\n${rows.join('\n')}\n`);
  const [charter, stored] = [await putDocument(blobs, testCharter()), await putDocument(blobs, mapping)];
  return ingestSource(context, { surface: 'home', charter, mapping: stored, source: { path, ...(await digestSource(path)) }, endsAt: null }, quietBeat);
}

/** The same state, but something happens before a generation of such a series is created. */
function before(context: Context, prefix: string, happens: () => Promise<void>): Context {
  const { generations } = context.state;
  const watched: GenerationStore = {
    ...generations,
    async create(series, generation, document) {
      if (series.startsWith(prefix)) await happens();
      return generations.create(series, generation, document);
    },
  };
  return { ...context, state: { ...context.state, generations: watched } };
}

describe('a generation of the data', () => {
  it.each([
    ['a slice of before', 'erase', (first: DataState) => first.slices[0]?.digest],
    ['a slice of before', 'drop', (first: DataState) => first.slices[0]?.digest],
    ['quarantined rows of before', 'drop', (first: DataState) => first.quarantine?.[0]?.digest],
    ['its own slice', 'erase', (_: DataState, made: IngestedBatch) => made.manifest.slices[0]?.digest],
    ['its own manifest', 'drop', (_: DataState, made: IngestedBatch) => made.digest],
  ] as const)('is refused when %s was removed (%s) while it was made', (_what, how, victimOf) =>
    bench(async (context, folder) => {
      const { state } = context;
      await ingest(context, folder, { file: 'first.csv', rows: ['u1,i1,2026-03-02', 'u2,,2026-03-02'] });
      const first = (await dataOf(context)) as DataState;
      const path = join(folder, 'second.csv');
      await writeFile(path, 'user,item,at\nu3,i1,2026-03-03\n');
      const publish = (meanwhile: (made: IngestedBatch) => Promise<void>) =>
        publishData<IngestedBatch>({
          state,
          surface: 'home',
          charter: testCharter(),
          nowMs: context.now,
          beat: quietBeat,
          async ingest({ workDir, before: earlier }) {
            const source = { path, name: 'second' };
            const made = await ingestBatch({ surface: 'home', charter: testCharter(), source, mapping, blobs: state.blobs, workDir, before: earlier });
            await meanwhile(made);
            return made;
          },
        });
      const sweeping = publish(async (made) => {
        const victim = victimOf(first, made) ?? '';
        await (how === 'erase' ? state.blobs.erase(victim, 'er-000000000000000000000000') : state.blobs.drop(victim));
      });
      await expect(sweeping).rejects.toMatchObject({ code: how === 'erase' ? 'UND-ERASED' : 'UND-NOT-FOUND' });
      expect(await dataOf(context)).toEqual(first);
    }),
  );
});

it('a replay that died before the ledger knew of it is told there, also when another ingest came first', () =>
  bench(async (context, folder) => {
    const { blobs } = context.state;
    await ingest(context, folder, { file: 'first.csv', rows: ['u1,i1,2026-03-02', 'u2,,2026-03-02'] });
    const quarantine = (await dataOf(context))?.quarantine?.[0]?.digest ?? '';
    const mend = await putDocument(blobs, { kind: 'mend', edits: [{ column: 'item', to: 'i1' }], mapping: null });
    const charter = await putDocument(blobs, testCharter());
    const request = { surface: 'home', charter, by: 'ann', why: 'a test', replay: { quarantine, reason: null, mend } };
    const dying = before(context, 'ledger/', () => Promise.reject(new Error('killed')));
    await expect(replayQuarantine(dying, request, quietBeat)).rejects.toThrow('killed');
    const mended = await dataOf(context);
    expect(mended?.quarantine).toBeUndefined();
    // Another file, and then the first one again without the row: the day is another by now.
    await ingest(context, folder, { file: 'other.csv', rows: ['u3,i1,2026-03-02'] });
    await ingest(context, folder, { file: 'first.csv', rows: ['u1,i1,2026-03-02'] });
    const newest = await dataOf(context);

    const result = await replayQuarantine(context, request, quietBeat);
    expect(result).toMatchObject({ manifest: mended?.ingest, counts: { input: 1, accepted: 1 } });
    expect(await replayQuarantine(context, request, quietBeat)).toEqual(result);
    const entries = await readLedger(context.state.generations, 'home');
    expect(entries.map(({ action, by, detail }) => [action, by, detail.manifest])).toEqual([['data-mended', 'ann', mended?.ingest]]);
    // What came since stays: the mended version is not put on top of it.
    expect(await dataOf(context)).toEqual(newest);
    await expect(replayQuarantine(context, { ...request, replay: { ...request.replay, reason: 'never' } }, quietBeat)).rejects.toMatchObject({
      code: 'UND-NOT-FOUND',
    });
  }));
