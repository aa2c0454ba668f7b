import { execFile } from 'node:child_process';
import { appendFile, constants, cp, type FileHandle, mkdir, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { overrideDeployment } from '../stores/deployments.ts';
import type { Serving } from './server.ts';
import { call, canaryOf, makeServedState, openReplicas, type ServedState, startReplica, until } from './testing.ts';

let root: string;
let state: ServedState;
const { running, start, close } = openReplicas(() => root);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-orders-'));
  state = await makeServedState({ stateDir: root });
});
afterEach(async () => {
  await close();
  await rm(root, { recursive: true, force: true });
});

const recommend = async ({ url }: Serving, userId: string, surface = 'home') => (await call(`${url}/v1/recommend`, { surface, userId })).body;
const ready = async ({ url }: Serving) => call(`${url}/readyz`);
const generationIs = (serving: Serving, wanted: number) =>
  until(
    async () => (await call(`${serving.url}/v1/surfaces/home`)).body.generation,
    (generation) => generation === wanted,
  );
const order = (action: 'abort' | 'rollback') =>
  overrideDeployment(state.generations, { action, surface: 'home', by: 'ann', why: 'bad', operationId: `op-${action}`, nowMs: 1 }, { releaseId: null });
const pathOf = (digest: string) => join(root, 'blobs', 'sha256', digest.slice(7, 9), digest.slice(7));
/** Its bytes are another's now: it cannot be loaded any more. */
const spoil = (digest: string) => writeFile(pathOf(digest), '{}');

describe('a log that cannot be opened at the start', () => {
  it('leaves the surface in force, refuses events, says so, and is opened when it can be', async () => {
    await state.publish({ champion: await state.train('popularity') });
    const directory = join(root, 'log', 'home', 'events');
    const event = { eventId: 'kept', kind: 'click', surface: 'home', sessionId: 's', itemId: 'i0001', atMs: 1 };
    await mkdir(join(directory, 'r1-00000001.seal', 'in-the-way'), { recursive: true });
    await appendFile(join(directory, 'r1-00000001.jsonl.open'), `${JSON.stringify({ schemaVersion: 1, ...event })}\n`);
    const lines: string[] = [];
    const serving = await start({ log: (line) => lines.push(line) });
    const post = (eventId: string) => call(`${serving.url}/v1/events`, { events: [{ ...event, eventId }] });

    expect(await recommend(serving, 'ann')).toMatchObject({ rung: 'model', generation: 1 });
    expect(await post('e1')).toMatchObject({ status: 503, body: { code: 'UND-LOG-UNAVAILABLE' } });
    expect(await ready(serving)).toMatchObject({
      status: 200,
      body: { status: 'degraded', troubles: [expect.stringMatching(/home: the events log cannot be written: .*EISDIR|ENOTEMPTY|EEXIST/)] },
    });
    // What the earlier life acknowledged is known although its log cannot be written.
    expect((await post('kept')).body.results[0].status).toBe('duplicate');

    await rm(join(directory, 'r1-00000001.seal'), { recursive: true });
    await until(
      () => post('e1'),
      ({ status }) => status === 200,
    );
    expect((await ready(serving)).body.status).toBe('ready');
    expect(lines.filter((line) => line.includes('events log'))).toHaveLength(1);
  });
});

it('refuses a second replica of its name in the same process', async () => {
  await state.publish({ champion: await state.train('popularity') });
  const serving = await start();
  await expect(startReplica(root)).rejects.toMatchObject({ code: 'UND-ENVIRONMENT' });
  expect(await recommend(serving, 'ann')).toMatchObject({ generation: 1 });
});

describe('a series that makes no sense', () => {
  it.each(['truncated', 'misnamed'])('costs the other surfaces nothing: %s', async (how) => {
    const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
    await state.publish({ champion: popularity });
    if (how === 'truncated') {
      await mkdir(join(root, 'series', 'deployment', 'abc'), { recursive: true });
      await writeFile(join(root, 'series', 'deployment', 'abc', '00000001.json'), '{"kind":');
    } else await cp(join(root, 'series', 'deployment', 'home'), join(root, 'series', 'deployment', 'Home.bak'), { recursive: true });
    const lines: string[] = [];
    const serving = await start({ log: (line) => lines.push(line) });
    await state.publish({ champion: knn });
    await generationIs(serving, 2);
    const { status, body } = await ready(serving);
    expect([status, body.status]).toEqual([200, how === 'truncated' ? 'degraded' : 'ready']);
    if (how === 'truncated') expect(body.surfaces.abc).toMatchObject({ generation: 0, unreadable: true, refused: { generation: 1 } });
    expect(lines.filter((line) => /abc|bak/i.test(line)).length).toBe(how === 'truncated' ? 1 : 0);
  });

  it('is a trouble while it lasts, said once and counted, and the surface follows on when it is over', async () => {
    await state.publish({ champion: await state.train('popularity') });
    const lines: string[] = [];
    const serving = await start({ log: (line) => lines.push(line) });
    // A directory where a file should be: listing goes well, reading does not.
    const series = join(root, 'series', 'deployment', 'home');
    await rename(series, `${series}-away`);
    await writeFile(series, 'not a directory');
    const { body } = await until(
      () => ready(serving),
      (answer) => answer.body.status === 'degraded',
    );
    expect(body.troubles[0]).toMatch(/^home cannot be read/);
    expect(await recommend(serving, 'ann')).toMatchObject({ rung: 'model', generation: 1 });
    await until(
      () => call(`${serving.url}/metrics`),
      (answer) => Number(/understudy_deployment_failed_looks_total (\d+)/.exec(answer.body)?.[1]) > 2,
    );
    expect(lines.filter((line) => line.startsWith('home cannot be read'))).toHaveLength(1);
    await rm(series);
    await rename(`${series}-away`, series);
    await until(
      () => ready(serving),
      (answer) => answer.body.status === 'ready',
    );
  });

  it('that ends in a damaged generation goes on without its canary', async () => {
    const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
    await state.publish({ champion: popularity, challenger: knn, canary: canaryOf(knn, { share: 1 }) });
    await writeFile(join(root, 'series', 'deployment', 'home', '00000002.json'), '{"kind":"deployment","fencedRel');
    const serving = await start();
    expect(await recommend(serving, 'ann')).toMatchObject({ generation: 1, variant: 'champion', artifact: popularity });
    expect((await ready(serving)).body.surfaces.home).toMatchObject({ generation: 1, refused: { generation: 2, problem: { code: 'UND-DIGEST' } } });
  });
});

describe('an abort', () => {
  it('is obeyed with what is loaded already, whatever has become of the files', async () => {
    const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
    const { catalog } = await state.publish({ champion: popularity });
    await state.publish({ challenger: knn, canary: canaryOf(knn, { share: 1 }) });
    const serving = await start();
    expect((await recommend(serving, 'ann')).variant).toBe('challenger');
    for (const digest of [popularity, knn, catalog]) await spoil(digest);
    await order('abort');
    await generationIs(serving, 3);
    expect(await recommend(serving, 'ann')).toMatchObject({ variant: 'champion', artifact: popularity, rung: 'model' });
    expect((await ready(serving)).body.status).toBe('ready');
  });

  it('ends the canary also where its generation is refused, at once and over a restart', async () => {
    const [popularity, knn, other] = [await state.train('popularity'), await state.train('item-knn'), await state.train('item-knn', {}, 2)];
    await state.publish({ champion: popularity, challenger: knn, canary: canaryOf(knn, { share: 1 }) });
    let serving = await start();
    expect((await recommend(serving, 'ann')).variant).toBe('challenger');
    await spoil(other);
    await state.publish({ champion: other, canary: null, challenger: null });
    await until(
      () => recommend(serving, 'ann'),
      ({ variant }) => variant === 'champion',
    );
    await until(
      () => ready(serving),
      ({ body }) => body.surfaces.home.refused?.generation === 2,
    );
    expect(await recommend(serving, 'ann')).toMatchObject({ generation: 1, artifact: popularity, rung: 'model' });
    await running.splice(0)[0]?.close();
    serving = await start();
    expect(await recommend(serving, 'ann')).toMatchObject({ generation: 1, variant: 'champion', artifact: popularity });
  });

  it('does not wait for the artifact that another surface, or its own, is loading', async () => {
    const neighbour = await makeServedState({ stateDir: root, surface: 'aaa' });
    await neighbour.publish({ champion: await neighbour.train('popularity') });
    const [popularity, knn, slow] = [await state.train('popularity'), await state.train('item-knn'), await state.train('ials', { factors: 64 })];
    await state.publish({ champion: popularity, challenger: knn, canary: canaryOf(knn, { share: 1 }) });
    const serving = await start();
    const [first, second] = [await neighbour.train('item-knn'), slow];
    const [neighbourReads, homeReads] = [await pipeInPlaceOf(first), await pipeInPlaceOf(second)];
    await neighbour.publish({ challenger: first });
    const one = await neighbourReads();
    await state.publish({ canary: canaryOf(slow, { releaseId: 'rel-2', share: 1 }), challenger: slow });
    const two = await homeReads();
    await order('abort');
    await generationIs(serving, 3);
    expect(await recommend(serving, 'ann')).toMatchObject({ variant: 'champion', artifact: popularity, rung: 'model' });
    await Promise.all([one.close(), two.close()]);
  });
});

describe('a rollback', () => {
  it('takes the champion away even where the one before cannot be loaded, also from a replica that starts', async () => {
    const [first, second, third] = [await state.train('popularity'), await state.train('item-knn'), await state.train('item-knn', {}, 2)];
    await state.publish({ champion: first, championRelease: 'r-1' });
    await state.publish({ champion: second, championRelease: 'r-2', previousChampion: first });
    await state.publish({ challenger: third, canary: canaryOf(third, { share: 1 }) });
    let serving = await start();
    await spoil(first);
    await order('rollback');
    await until(
      () => recommend(serving, 'ann'),
      ({ rung }) => rung !== 'model',
    );
    expect(await recommend(serving, 'ann')).toMatchObject({ variant: 'champion', artifact: null, items: { length: 10 } });
    await running.splice(0)[0]?.close();
    serving = await start();
    expect(await recommend(serving, 'ann')).toMatchObject({ variant: 'champion', artifact: null, rung: 'static', items: { length: 10 } });
  });
});

/** Whoever reads the blob waits until the handle is closed. @returns waits until somebody reads. */
async function pipeInPlaceOf(digest: string): Promise<() => Promise<FileHandle>> {
  const path = pathOf(digest);
  await rm(path);
  await promisify(execFile)('mkfifo', [path]);
  // Opened for writing only, without waiting, it opens only when there is a reader.
  return async () =>
    (await until(
      () => open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => null),
      (handle) => handle !== null,
    )) as FileHandle;
}
