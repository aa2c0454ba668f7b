import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SlateRecord, slateRecord } from '../models/contracts/slate.ts';
import { openBlobDirectory } from '../stores/blobs-directory.ts';
import { openLogReader, type SegmentFiles } from '../stores/event-log-files.ts';
import { openModelPool } from './models/model-pool.ts';
import type { Serving } from './server.ts';
import { type Answer, call, canaryOf, makeServedState, openReplicas, type ServedState, until } from './testing.ts';

let root: string;
let state: ServedState;
const { running, start, close } = openReplicas(() => root);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-resilience-'));
  state = await makeServedState({ stateDir: root, catalog: (item, index) => ({ ...item, inStock: index % 7 !== 0 }) });
});
afterEach(async () => {
  await close();
  await rm(root, { recursive: true, force: true });
});

const recommend = (serving: Serving, userId: string) => call(`${serving.url}/v1/recommend`, { surface: 'home', userId });
const generationOf = async (serving: Serving) => (await call(`${serving.url}/v1/surfaces/home`)).body.generation;
async function slates(): Promise<SlateRecord[]> {
  const { records } = await openLogReader({ directory: join(root, 'log', 'home', 'slates') }).tail({});
  return records.map((record) => slateRecord.parse(record));
}

/** Asks from several visitors at once until told to stop; gives every answer. */
function load(serving: Serving, visitors = 4): { answers: Answer[]; stop: () => Promise<Answer[]> } {
  const answers: Answer[] = [];
  let going = true;
  const loops = Array.from({ length: visitors }, async (_, visitor) => {
    for (let number = 0; going; number += 1) answers.push(await recommend(serving, `v${visitor}-${number % 50}`));
  });
  return {
    answers,
    async stop() {
      going = false;
      await Promise.all(loops);
      return answers;
    },
  };
}

describe('a model that crashes', () => {
  it('never costs a visitor the slate, and comes back', async () => {
    await state.publish({ champion: await state.train('item-knn') });
    const serving = await start();
    const { answers, stop } = load(serving);
    const served = (rung: string) => answers.filter(({ body }) => body.rung === rung).length;
    await until(
      () => answers.length,
      (count) => count > 50,
    );
    for (let crash = 1; crash <= 3; crash += 1) {
      const [before, models] = [answers.length - served('model'), served('model')];
      serving.crashModels();
      await until(
        () => answers.length - served('model'),
        (count) => count > before,
      );
      const back = served('model');
      await until(
        () => served('model'),
        (count) => count > Math.max(models, back) + 20,
      );
    }
    for (const { status, body } of await stop()) {
      expect(status).toBe(200);
      const ids = body.items.map((item: { itemId: string }) => item.itemId);
      expect(ids).toHaveLength(10);
      expect(new Set(ids).size).toBe(10);
      for (const id of ids) expect(Number(id.slice(1)) % 7).not.toBe(0);
      if (body.rung !== 'model') expect(body.reason).toMatch(/^model: the model/);
    }
    expect((await call(`${serving.url}/metrics`)).body).toMatch(/understudy_model_thread_events_total\{surface="home",event="crashed"\} 3/);
  });

  it('answers late calls itself when the deadline has passed', async () => {
    const champion = await state.train('item-knn');
    await state.publish({ champion });
    const serving = await start({ modelDeadlineMs: 1 });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, visitor) => recommend(serving, `u${visitor}`)));
    for (const { status, body } of answers) expect(status === 200 && body.items.length === 10).toBe(true);
    const late = answers.filter(({ body }) => body.rung !== 'model');
    for (const { body } of late) expect(body.reason).toMatch(/within 1 ms|too late/);
    expect(late.length).toBeGreaterThan(0);
  });
});

describe('a new generation', () => {
  it('takes over under load without an error, each answer wholly of one generation', async () => {
    const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
    await state.publish({ champion: popularity });
    const serving = await start();
    const { answers, stop } = load(serving);
    for (const champion of [knn, popularity, knn]) {
      const { generation } = await state.publish({ champion, challenger: champion === knn ? popularity : null });
      await until(
        () => answers.filter(({ body }) => body.generation === generation).length,
        (count) => count > 20,
      );
    }
    const all = await stop();
    const championOf = (generation: number) => (generation % 2 === 1 ? popularity : knn);
    for (const { status, body } of all) expect([status, body.rung, body.artifact]).toEqual([200, 'model', championOf(body.generation)]);
    await running.splice(0)[0]?.close();
    const logged = await slates();
    expect(logged).toHaveLength(all.length);
    for (const { generation, artifact } of logged) expect(artifact).toBe(championOf(generation));
    expect(new Set(logged.map(({ requestId }) => requestId)).size).toBe(logged.length);
  });

  it('is refused when its artifact is corrupt; what is in force stays, also over a restart, until it is mended', async () => {
    const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
    await state.publish({ champion: popularity });
    let serving = await start();
    const manifest = JSON.parse(Buffer.from(await state.blobs.get(knn)).toString('utf8'));
    // A blob store of its own, for this one has verified the file already.
    const graph = await openBlobDirectory({ root: join(root, 'blobs') }).localPath(manifest.files['recommend.onnx']);
    const whole = await readFile(graph);
    await chmod(graph, 0o644);
    await writeFile(graph, Buffer.concat([whole.subarray(0, 100), Buffer.from('x'), whole.subarray(101)]));

    await state.publish({ champion: knn });
    const report = async () => JSON.parse(await readFile(join(root, 'run', 'replicas', 'r1.json'), 'utf8')).surfaces.home;
    const refusal = { generation: 1, refused: { generation: 2, problem: { code: 'UND-DIGEST' } } };
    expect(await until(report, (surface) => surface.refused !== undefined)).toMatchObject(refusal);
    expect((await recommend(serving, 'ann')).body).toMatchObject({ generation: 1, artifact: popularity, rung: 'model' });
    expect((await call(`${serving.url}/readyz`)).body.status).toBe('degraded');

    await running.splice(0)[0]?.close();
    let nowMs = Date.now();
    serving = await start({ clock: () => nowMs });
    expect(await until(report, (surface) => surface.refused !== undefined)).toMatchObject(refusal);
    expect((await recommend(serving, 'ann')).body).toMatchObject({ generation: 1, artifact: popularity, rung: 'model' });

    await writeFile(graph, whole);
    nowMs += 60_000;
    expect(await until(report, (surface) => surface.generation === 2)).toEqual({ generation: 2 });
    expect((await recommend(serving, 'ann')).body.artifact).toBe(knn);
  });

  it('is refused when its graph does not answer as its trainer did', async () => {
    const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
    const manifest = JSON.parse(Buffer.from(await state.blobs.get(popularity)).toString('utf8'));
    const other = JSON.parse(Buffer.from(await state.blobs.get(knn)).toString('utf8'));
    const graphPath = await state.blobs.localPath(manifest.files['recommend.onnx']);
    const attestation = (await state.generations.latest(`parity/${knn.slice(7)}`))?.document as { record: string };
    const parity = JSON.parse(Buffer.from(await state.blobs.get(attestation.record)).toString('utf8'));
    const artifact = { digest: popularity, graphPath, itemCount: 60, maxHistory: other.maxHistory, parity, scopeBias: new Float32Array(60) };
    await expect(openModelPool({ artifact, scope: 'all', threads: 1, deadlineMs: 100 })).rejects.toMatchObject({ code: 'UND-PARITY' });
  });

  it('without any artifact that loads is served from the rungs below', async () => {
    await state.publish({ champion: `sha256:${'0'.repeat(64)}` });
    const serving = await start();
    expect(await recommend(serving, 'ann')).toMatchObject({
      status: 200,
      body: { rung: 'static', artifact: null, reason: expect.stringContaining('no artifact') },
    });
    expect((await call(`${serving.url}/readyz`)).body).toMatchObject({ status: 'degraded', surfaces: { home: { generation: 0, refused: { generation: 1 } } } });
  });

  it('may be the first of a surface that did not exist', async () => {
    const serving = await start();
    expect((await recommend(serving, 'ann')).status).toBe(404);
    await state.publish({ champion: await state.train('popularity') });
    await until(
      () => recommend(serving, 'ann'),
      ({ status }) => status === 200,
    );
  });
});

describe('a canary', () => {
  it('keeps units where they were enrolled, over shares, generations and a crash of the replica’s memory', async () => {
    const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
    await state.publish({ champion: popularity, challenger: knn, canary: canaryOf(knn, { share: 0.2 }) });
    let serving = await start();
    const users = Array.from({ length: 60 }, (_, index) => `u${index}`);
    const ask = async () => new Map(await Promise.all(users.map(async (user) => [user, (await recommend(serving, user)).body] as const)));
    const first = await ask();
    const challengers = users.filter((user) => first.get(user).variant === 'challenger');
    expect(challengers.length).toBeGreaterThan(2);
    expect(challengers.length).toBeLessThan(30);

    await state.publish({ canary: canaryOf(knn, { share: 0.9, stage: 1 }) });
    await until(
      () => generationOf(serving),
      (generation) => generation === 2,
    );
    const wider = await ask();
    for (const user of users) expect(wider.get(user).variant).toBe(first.get(user).variant);
    await running.splice(0)[0]?.close();
    serving = await start();
    const restarted = await ask();
    for (const user of users)
      expect(restarted.get(user)).toMatchObject({ variant: first.get(user).variant, artifact: first.get(user).artifact, generation: 2 });
    const late = await Promise.all(Array.from({ length: 40 }, (_, index) => recommend(serving, `late-${index}`)));
    expect(late.filter(({ body }) => body.variant === 'challenger').length).toBeGreaterThan(25);

    await running.splice(0)[0]?.close();
    for (const record of await slates()) {
      expect(record).toMatchObject({ releaseId: 'rel-1', stage: record.generation - 1 });
      expect(record.enrolment?.share).toBe(record.unit.startsWith('u:late') ? 0.9 : 0.2);
      expect(record.enrolment?.generation).toBe(record.unit.startsWith('u:late') ? 2 : 1);
      expect(record.variant).toBe((record.enrolment?.bucket ?? 1) < (record.enrolment?.share ?? 0) ? 'challenger' : 'champion');
    }
  });

  it('in shadow shows the champion alone and records what the challenger would have shown', async () => {
    const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
    await state.publish({ champion: popularity, challenger: knn, canary: canaryOf(knn, { mode: 'shadow', stage: -1, share: 0 }) });
    const serving = await start();
    for (let visit = 0; visit < 20; visit += 1)
      expect((await recommend(serving, `u${visit}`)).body).toMatchObject({ variant: 'champion', artifact: popularity });
    await running.splice(0)[0]?.close();
    for (const record of await slates()) {
      expect(record.enrolment).toBeNull();
      expect(record.shadow).toMatchObject({ artifact: knn, error: null });
      expect(record.shadow?.items).toHaveLength(10);
    }
  });
});

describe('a full disk', () => {
  /** Real files; while full, half of the bytes arrive and then ENOSPC. */
  function fullDisk(): { files: SegmentFiles; full: (is: boolean) => void } {
    let isFull = false;
    return {
      full: (is) => {
        isFull = is;
      },
      files: {
        async create(path) {
          const { open } = await import('node:fs/promises');
          const handle = await open(path, 'wx');
          return {
            async write(bytes, position) {
              await handle.write(bytes, 0, isFull ? bytes.length >> 1 : bytes.length, position);
              if (isFull) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
            },
            sync: () => handle.datasync(),
            truncate: (length) => handle.truncate(length),
            close: () => handle.close(),
          };
        },
      },
    };
  }

  it('refuses events with 503, acknowledges nothing, goes on recommending, and recovers', async () => {
    await state.publish({ champion: await state.train('popularity') });
    const disk = fullDisk();
    const serving = await start({ files: disk.files });
    const post = (eventId: string) =>
      call(`${serving.url}/v1/events`, { events: [{ eventId, kind: 'click', surface: 'home', sessionId: 's', itemId: 'i0001', atMs: 1 }] });
    expect((await post('before')).body.accepted).toBe(1);
    disk.full(true);
    const refused = await post('during');
    expect(refused).toMatchObject({ status: 503, body: { code: 'UND-LOG-UNAVAILABLE' } });
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await recommend(serving, 'ann')).toMatchObject({ status: 200, body: { rung: 'model' } });
    const degraded = await until(
      () => call(`${serving.url}/readyz`),
      ({ body }) => body.troubles.length === 2,
    );
    expect(degraded).toMatchObject({ status: 200, body: { status: 'degraded' } });
    expect((await call(`${serving.url}/metrics`)).body).toMatch(/understudy_log_failures_total\{surface="home",stream="slates"\} 1/);

    disk.full(false);
    expect((await post('during')).body.results[0].status).toBe('accepted');
    expect((await post('before')).body.results[0].status).toBe('duplicate');
    await recommend(serving, 'ann');
    await until(
      () => call(`${serving.url}/readyz`),
      ({ body }) => body.status === 'ready',
    );
    const { records } = await openLogReader({ directory: join(root, 'log', 'home', 'events') }).tail({});
    expect(records.map((record) => (record as { eventId: string }).eventId)).toEqual(['before', 'during']);
  });
});
