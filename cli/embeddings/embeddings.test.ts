import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withDuck, text } from '../../activities/events/duckdb.ts';
import { artifactManifest, recommendGraphInterface } from '../../models/contracts/artifact.ts';
import { digestBytes, digestJson } from '../../models/contracts/digest.ts';
import { runRecord } from '../../models/contracts/release.ts';
import { putArtifact } from '../../stores/artifacts.ts';
import { createDeployment } from '../../stores/deployments.ts';
import { putEmbeddingSet } from '../../stores/embedding-sets.ts';
import { openSurface } from '../report/testing.ts';
import { embeddingsCommand } from './command.ts';

const some = digestJson('some');
const ids = ['tea', 'cup', 'pot', 'sock'];
const vectors = Float32Array.of(1, 0, 0.9, 0.1, 0.5, 0.5, 0, -0.1);
const vocabulary = Buffer.from(JSON.stringify(ids));

/** A surface with two sets: one that two runs share, the second of which serves, and one of a later window. */
async function open() {
  const { folder, state, run } = await openSurface(embeddingsCommand);
  const { blobs, generations } = state;
  let atMs = 0;
  const artifactOf = async (candidate: string, window: string, set: string | undefined) => {
    const recipe = digestJson(candidate);
    const files = { 'recommend.onnx': Buffer.from(`${candidate} ${window}`), 'vocabulary.json': vocabulary };
    const manifest = artifactManifest.parse({
      ...{ kind: 'artifact', interface: recommendGraphInterface, surface: 'home', candidate, algorithm: 'ials', params: {}, window, recipe, seed: 1 },
      ...{ itemCount: 4, maxHistory: 5, files: Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, digestBytes(bytes)])) },
      ...(set === undefined ? {} : { embeddings: set }),
    });
    const artifact = await putArtifact({ blobs, generations, manifest, files, parity: { requests: [], tolerance: 1 } });
    atMs += 1;
    const runId = `retrain/home/${window.slice(7, 19)}/${recipe.slice(7, 19)}`;
    const record = runRecord.parse({
      ...{ kind: 'run', runId, surface: 'home', candidate, algorithm: 'ials', intent: 'replace', window, recipe, charter: some, seed: 1, artifact },
      ...{ metrics: some, report: some, passed: true, reasons: [], trainSeconds: 1, bytes: 1, parity: { requests: 0, error: 0, passed: true } },
      ...{ log: { segments: null, slates: 0 }, mlflowRunId: null, modelVersion: null, createdAtMs: atMs },
    });
    await generations.create(`run/home/${runId.split('/').slice(2).join('-')}`, 1, record);
    return { artifact, runId };
  };
  const setOf = (window: string) =>
    putEmbeddingSet(blobs, {
      ...{ surface: 'home', dimensions: 2, measure: 'cosine', ids: vocabulary, vectors },
      madeBy: { window, recipe: digestJson('factors'), seed: 1 },
    });
  const [first, second] = [digestJson('first window'), digestJson('second window')];
  const [older, newer] = [await setOf(first), await setOf(second)];
  await artifactOf('bestsellers', first, undefined);
  const factors = await artifactOf('factors', first, older);
  const alike = await artifactOf('alike', second, older);
  const later = await artifactOf('factors', second, newer);
  const serve = (champion: string) =>
    createDeployment(generations, {
      ...{ kind: 'deployment', surface: 'home', generation: 1, replaces: 0, operationId: 'o', champion, championRelease: 'r' },
      ...{ previousChampion: null, canary: null, challenger: null, charter: some, catalog: some, fencedReleases: [], paused: false },
      ...{ createdAtMs: 0, author: { kind: 'bootstrap', name: 'test', reason: '' } },
    });
  return { folder, state, run, older, newer, factors, alike, later, serve };
}

describe('understudy embeddings', () => {
  it('lists the sets, who made them, who shares them and which one serves; also what cannot be read', async () => {
    const { run, state, older, newer, factors, alike, later, serve } = await open();
    await serve(alike.artifact);
    expect(JSON.parse(await run('list', '--json'))).toMatchObject({
      sets: [
        {
          ...{ surface: 'home', version: older, serves: true, madeBy: { candidate: 'factors', runId: factors.runId }, set: { count: 4, dimensions: 2 } },
          artifacts: [
            { artifact: factors.artifact, candidate: 'factors', serves: false },
            { artifact: alike.artifact, candidate: 'alike', serves: true },
          ],
        },
        { version: newer, serves: false, madeBy: { runId: later.runId }, artifacts: [{ artifact: later.artifact, serves: false }] },
      ],
    });
    const said = await run('list', 'home');
    expect(said).toMatch(new RegExp(`home +${older} +yes +factors +4 +2 +cosine +${factors.runId}\nhome +${newer} +no +factors`));
    expect(said).toMatch(new RegExp(`${older.slice(0, 19)} +${alike.artifact} +alike +yes`));
    await state.blobs.erase(newer, 'er-0123456789abcdef01234567');
    expect(await run('list', 'home')).toMatch(new RegExp(`${newer} +no +\\? .*UND-ERASED`));
    await expect(run('list', 'nowhere')).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
  });

  it('shows what is most like an item, in the set that serves or another', async () => {
    const { run, older, newer, alike, serve } = await open();
    await expect(run('similar', 'home', 'tea')).rejects.toMatchObject({ code: 'UND-NOT-FOUND', message: expect.stringContaining('--version') });
    await serve(alike.artifact);
    expect(await run('similar', 'home', 'tea', '--count', '2')).toMatch(/^item +cosine +title\n-+ .*\ncup +0\.9939\npot +0\.7071\n$/);
    expect(JSON.parse(await run('similar', 'home', 'cup', '--version', newer, '--json'))).toMatchObject({
      ...{ surface: 'home', version: newer, measure: 'cosine', itemId: 'cup' },
      items: [{ itemId: 'tea', title: null }, { itemId: 'pot' }, { itemId: 'sock' }],
    });
    expect(JSON.parse(await run('similar', 'home', 'cup', '--json')).version).toBe(older);
    await expect(run('similar', 'home', 'hat')).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
  });

  it('writes a set as Parquet, bit for bit', async () => {
    const { run, folder, older } = await open();
    const out = join(folder, 'vectors.parquet');
    expect(await run('export', older, '--out', out)).toContain('4 vectors of 2 numbers');
    const rows = await withDuck({ workDir: undefined }, (duck) =>
      duck.rows<{ item_id: string; a: number; b: number; type: string }>(
        `SELECT item_id, vector[1]::DOUBLE AS a, vector[2]::DOUBLE AS b, typeof(vector) AS type FROM read_parquet(${text(out)})`,
      ),
    );
    expect(rows).toEqual(ids.map((item_id, row) => ({ item_id, a: vectors[2 * row], b: vectors[2 * row + 1], type: 'FLOAT[]' })));
    await expect(run('export', older, '--out', join(folder, 'nowhere', 'x.parquet'))).rejects.toMatchObject({ code: 'UND-FILE' });
    await expect(run('export', some, '--out', out)).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
  });
});
