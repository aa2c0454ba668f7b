import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { artifactManifest, type ParityRecord } from '../../models/contracts/artifact.ts';
import { recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import type { RunRecord } from '../../models/contracts/release.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import { loadArtifact } from '../../stores/artifacts.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import type { Evaluated, Trained } from '../api.ts';
import { quietBeat } from '../events/testing.ts';
import { evaluateCandidate } from '../evidence/evaluate-candidate.ts';
import { compareRerun, findRunRecord, preparedFrom } from '../registry/runs.ts';
import { trainCandidate } from '../training/train-candidate.ts';
import { type Making, making, sourceFiles } from './making.ts';
import { drawRows, openRuns } from './testing.ts';

let runs: Awaited<ReturnType<typeof openRuns>>;
let record: RunRecord;
let trained: Trained;
let evaluated: Evaluated;
let generation = 1;

beforeAll(async () => {
  const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
  runs = await openRuns({ files: { 'events.csv': drawRows({ users: 60, perUser: 60, days: 34, seed }) } });
  record = (await findRunRecord(runs, await runs.run())) as RunRecord;
  const retrain = preparedFrom(record);
  trained = await trainCandidate(runs.context, retrain, quietBeat);
  evaluated = await evaluateCandidate(runs.context, { retrain, trained, log: record.log, sinceGeneration: 0 }, quietBeat);
});
afterAll(() => runs.close());

/** The run as if it had been recorded like this. */
async function recordedAs(change: Partial<RunRecord>): Promise<void> {
  const [, surface, window, recipe] = record.runId.split('/');
  generation += 1;
  await runs.state.generations.create(`run/${surface}/${window}-${recipe}`, generation, { ...record, ...change });
}

/** Compares what was really made again with a run that was recorded like this. */
async function compareWith(change: Partial<RunRecord>) {
  await recordedAs(change);
  return compareRerun(runs.context, { runId: record.runId, retrain: preparedFrom(record), log: record.log, trained, evaluated });
}

/** As if the run had been made like this. */
async function madeAs(part: 'training' | 'evaluation', change: (was: Making) => Partial<Making>): Promise<NonNullable<RunRecord['made']>> {
  const { made = { training: null, evaluation: null } } = record;
  const was = await getDocument(runs.state.blobs, made[part] ?? '', making);
  return { ...made, [part]: await putDocument(runs.state.blobs, { ...was, ...change(was) }) };
}

/** An artifact of the same recipe whose numbers are a little different, as another library would have made it. */
async function otherArtifact(): Promise<string> {
  const { blobs, generations } = runs.state;
  const { manifest, parity } = await loadArtifact({ blobs, generations, digest: record.artifact });
  const graph = Buffer.from(await blobs.get(manifest.files['recommend.onnx'] ?? ''));
  const files = { ...manifest.files, 'recommend.onnx': await blobs.put(Buffer.concat([graph, Buffer.from([0])])) };
  const artifact = await putDocument(blobs, artifactManifest.parse({ ...manifest, files }));
  const hex = artifact.slice('sha256:'.length);
  if ((await generations.latest(`parity/${hex}`)) !== undefined) return artifact;
  const moved: ParityRecord = structuredClone(parity);
  for (const [request, place, by] of [
    [2, 3, 0.001],
    [4, 1, 0.25],
  ] as const)
    (moved.requests[request]?.scores ?? [])[place] = (parity.requests[request]?.scores[place] ?? 0) - by;
  await generations.create(`parity/${hex}`, 1, { kind: 'parity', artifact, record: await putDocument(blobs, moved) });
  return artifact;
}

const statusOf = ({ stages }: Awaited<ReturnType<typeof compareWith>>) => Object.fromEntries(stages.map(({ stage, status }) => [stage, status]));

describe('what differs is named with its cause', () => {
  it('library: the version of then and of now, and how far the scores are apart', async () => {
    const made = await madeAs('training', ({ libraries }) => ({ libraries: { ...libraries, 'onnxruntime-node': '1.2.3' } }));
    const answer = await compareWith({ artifact: await otherArtifact(), made });
    expect(answer).toMatchObject({ equal: false, difference: { stage: 'artifact', cause: 'library', also: [] } });
    expect(answer.difference?.why).toMatch(/^onnxruntime-node: 1\.2\.3 became \d+\.\d+\.\d+$/);
    expect(answer.difference?.largest).toMatchObject({ path: '/4/scores/1' });
    expect(answer.difference?.largest?.difference).toBeCloseTo(0.25, 9);
    expect(answer.difference?.largest?.what).toMatch(/^2 of \d+ scores of the parity requests$/);
    expect(answer.stages.find(({ stage }) => stage === 'artifact')?.detail).toBe('recommend.onnx differs, vocabulary.json equal');
    expect(statusOf(answer)).toMatchObject({ slices: 'equal', 'train-matrix': 'equal', recipe: 'equal', 'test-part': 'equal', metrics: 'equal' });
  });

  it('hardware: another processor, or settings of the process', async () => {
    const cpu = await madeAs('training', ({ host }) => ({ host: { ...host, cpu: 'Another CPU', vectors: ['avx2'] } }));
    const answer = await compareWith({ artifact: await otherArtifact(), made: cpu });
    expect(answer.difference).toMatchObject({ stage: 'artifact', cause: 'hardware' });
    expect(answer.difference?.why).toMatch(/^cpu: Another CPU became .*; vectors: avx2 became /);
    const zone = await madeAs('training', ({ host }) => ({ host: { ...host, timeZone: 'Asia/Kolkata' } }));
    expect((await compareWith({ artifact: await otherArtifact(), made: zone })).difference?.why).toMatch(/^timeZone: Asia\/Kolkata became /);
  });

  it('code: the files by name, and before libraries and machine, which are named beside it', async () => {
    const { files } = (await getDocument(runs.state.blobs, record.made?.training ?? '', making)).code;
    const now = await getDocument(runs.state.blobs, files, sourceFiles);
    const { 'models/random.ts': _, ...without } = now;
    const then = { ...without, 'models/algorithms/ials/half-sweeps.ts': `sha256:${'0'.repeat(64)}`, 'models/algorithms/gone.ts': `sha256:${'1'.repeat(64)}` };
    const digest = await putDocument(runs.state.blobs, then);
    const made = await madeAs('training', ({ code, libraries }) => ({ code: { ...code, files: digest }, libraries: { ...libraries, node: '20.1.0' } }));
    const answer = await compareWith({ artifact: await otherArtifact(), made });
    expect(answer.difference).toMatchObject({
      cause: 'code',
      why: 'models/algorithms/gone.ts is gone; models/algorithms/ials/half-sweeps.ts; models/random.ts is new',
      also: [expect.stringMatching(/^library: node: 20\.1\.0 became /)],
      remedy: expect.stringContaining(`understudy rerun ${record.runId} --at-recorded-code`),
    });
    // Other code that comes to the same is no difference, and is said all the same.
    expect(await compareWith({ made })).toMatchObject({ equal: true, changed: { code: expect.stringContaining('half-sweeps.ts') } });
  });

  it('parameter: the record names another recipe than its artifact was made by', async () => {
    const { blobs } = runs.state;
    const recipe = await getDocument(blobs, record.recipe, recipeSchema);
    const other = await putDocument(blobs, { ...recipe, params: { ...recipe.params, factors: 4 } });
    await recordedAs({ recipe: other });
    const answer = await runs.rerun(record.runId);
    expect(answer).toMatchObject({ equal: false, difference: { stage: 'recipe', cause: 'parameter', why: '/params/factors: 8 became 4' } });
    expect(statusOf(answer)).toMatchObject({ window: 'equal', slices: 'equal', 'train-matrix': 'equal', artifact: 'differs', 'test-part': 'equal' });
    expect(await compareWith({ seed: record.seed + 1 })).toMatchObject({
      difference: { stage: 'recipe', cause: 'parameter', why: expect.stringContaining('/seed') },
    });
  });

  it('data: a matrix that became another by the same code and machine; code, where that is not the same', async () => {
    const other = await madeAs('training', ({ digests }) => ({ digests: { ...digests, train: `sha256:${'0'.repeat(64)}` } }));
    expect(await compareWith({ made: other })).toMatchObject({ difference: { stage: 'train-matrix', cause: 'data' } });
    const files = await putDocument(runs.state.blobs, {});
    const byOther = await madeAs('training', ({ digests, code }) => ({ digests: { ...digests, train: 'another' }, code: { ...code, files } }));
    expect(await compareWith({ made: byOther })).toMatchObject({ difference: { stage: 'train-matrix', cause: 'code' } });
  });

  it('figures: which of them, and how much; the cause is looked for where they were measured', async () => {
    const { blobs } = runs.state;
    const metrics = JSON.parse(Buffer.from(await blobs.get(record.metrics)).toString('utf8'));
    const was = metrics.metrics['ndcg@10'].value;
    metrics.metrics['ndcg@10'].value = was + 0.5;
    metrics.metrics['ndcg@10'].low -= 0.125;
    const made = await madeAs('evaluation', ({ libraries }) => ({ libraries: { ...libraries, '@duckdb/node-api': '1.0.0' } }));
    const answer = await compareWith({ metrics: await putDocument(blobs, metrics), made });
    expect(answer.difference).toMatchObject({ stage: 'metrics', cause: 'library', why: expect.stringContaining('@duckdb/node-api: 1.0.0 became') });
    expect(answer.difference?.largest).toMatchObject({ path: '/metrics/ndcg@10/value', first: was + 0.5, again: was });
    expect(answer.difference?.largest?.difference).toBeCloseTo(0.5, 9);
    expect(answer.difference?.largest?.what).toMatch(/^2 of \d+ numbers$/);
    expect(statusOf(answer)).toMatchObject({ artifact: 'equal', 'test-part': 'equal', evidence: 'equal' });
    const test = await madeAs('evaluation', ({ digests }) => ({ digests: { ...digests, test: 'another' } }));
    expect(await compareWith({ made: test })).toMatchObject({ difference: { stage: 'test-part' } });
  });

  it('nothing that is recorded: unexplained, and a run of before that was recorded says so', async () => {
    const artifact = await otherArtifact();
    expect(await compareWith({ artifact })).toMatchObject({
      difference: { stage: 'artifact', cause: 'unexplained', why: expect.stringMatching(/^the same data/) },
    });
    const { made: _, ...before } = record;
    await recordedAs({ made: undefined });
    const same = await compareWith({ made: undefined });
    expect(same).toMatchObject({ equal: true, changed: null });
    expect(statusOf(same)).toMatchObject({ 'train-matrix': 'not-recorded', 'test-part': 'not-recorded', artifact: 'equal', metrics: 'equal' });
    expect(await compareWith({ ...before, made: undefined, artifact })).toMatchObject({
      difference: { cause: 'unexplained', why: expect.stringContaining('does not say by which code') },
    });
  });
});

describe('data that are not what they were', () => {
  const sliceOf = async (day: string) => {
    const { trainSlices } = await getDocument(runs.state.blobs, record.window, windowManifest);
    const slice = trainSlices.find((one) => one.day === day) ?? trainSlices[3];
    if (slice === undefined) throw new Error('no slice');
    return { slice, path: await runs.state.blobs.localPath(slice.digest) };
  };

  it('one byte of a slice, or a slice that is gone: named before anything is trained, though the worker had read it whole', async () => {
    await recordedAs({});
    const { slice, path } = await sliceOf('2026-01-20');
    const bytes = await readFile(path);
    const changed = Buffer.from(bytes);
    const middle = Math.floor(bytes.length / 2);
    changed.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
    for (const spoil of [() => writeFile(path, changed), () => rm(path)]) {
      await spoil();
      const answer = await runs.rerun(record.runId);
      expect(answer).toMatchObject({ equal: false, artifact: { again: null }, difference: { stage: 'slices', cause: 'data' } });
      expect(answer.firstDifference).toContain(`the slice of ${slice.day} from file: `);
      expect(answer.firstDifference).toContain(slice.digest);
      expect(statusOf(answer)).toMatchObject({ slices: 'differs', artifact: 'not-compared', verdict: 'not-compared' });
      await writeFile(path, bytes);
    }
    expect(await runs.rerun(record.runId)).toMatchObject({ equal: true });
  });

  it('a slice that was erased is no difference: the certificate is named', async () => {
    const { slice, path } = await sliceOf('2026-01-21');
    const bytes = await readFile(path);
    await runs.state.blobs.erase(slice.digest, 'er-0123456789abcdef01234567');
    await expect(runs.rerun(record.runId)).rejects.toMatchObject({ code: 'UND-ERASED', details: { certificate: 'er-0123456789abcdef01234567' } });
    await rm(`${path}.erased`);
    await writeFile(path, bytes);
  });
});
