import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { openLogReader } from '../stores/event-log-files.ts';
import { call, makeServedState } from './testing.ts';

type Replica = { url: string; pid: number; child: ChildProcess; errors: () => string };

let root: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-process-'));
  const state = await makeServedState({ stateDir: root });
  await state.publish({ champion: await state.train('popularity') });
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});
afterAll(() => rm(root, { recursive: true, force: true }));

function launch(env: Record<string, string> = {}): { child: ChildProcess; errors: () => string } {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./main.ts', import.meta.url))], {
    env: { PATH: process.env.PATH, UNDERSTUDY_STATE: root, UNDERSTUDY_PORT: '0', UNDERSTUDY_REPLICA: 'p1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let text = '';
  child.stderr?.on('data', (bytes) => {
    text += bytes;
  });
  return { child, errors: () => text };
}

async function ready(env: Record<string, string> = {}): Promise<Replica> {
  const { child, errors } = launch(env);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const line = await Promise.race([once(lines, 'line').then(([first]) => String(first)), once(child, 'exit').then(() => Promise.reject(new Error(errors())))]);
  const message = JSON.parse(line);
  expect(message).toMatchObject({ ready: true, pid: child.pid });
  return { ...message, child, errors };
}

const event = (eventId: string) => ({ eventId, kind: 'click', surface: 'home', sessionId: 's', itemId: 'i0001', atMs: 1 });
const logged = async () => {
  const { records } = await openLogReader({ directory: join(root, 'log', 'home', 'events') }).tail({});
  return records.map((record) => (record as { eventId: string }).eventId);
};

it('loses no acknowledged event when it is killed under load, and knows duplicates when it is back', async () => {
  const acknowledged: string[] = [];
  const sent: string[] = [];
  for (let life = 0; life < 3; life += 1) {
    const replica = await ready();
    let alive = true;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let number = 0; alive; number += 1) {
        const ids = Array.from({ length: 5 }, (__, place) => `l${life}-w${writer}-${number}-${place}`);
        sent.push(...ids);
        const answer = await call(`${replica.url}/v1/events`, { events: ids.map(event) }).catch(() => undefined);
        if (answer?.status === 200) acknowledged.push(...ids);
        else if (answer === undefined) break;
      }
    });
    const goal = acknowledged.length + 300;
    while (acknowledged.length < goal) await new Promise((resolve) => setTimeout(resolve, 5));
    replica.child.kill('SIGKILL');
    await once(replica.child, 'exit');
    alive = false;
    await Promise.all(writers);
  }
  const replica = await ready();
  const kept = await logged();
  expect(new Set(kept).size).toBe(kept.length);
  const known = new Set(kept);
  expect(acknowledged.filter((id) => !known.has(id))).toEqual([]);
  for (let from = 0; from < sent.length; from += 1_000) {
    const ids = sent.slice(from, from + 1_000);
    const { body } = await call(`${replica.url}/v1/events`, { events: ids.map(event) });
    expect(body.results.map((result: { status: string }) => result.status)).toEqual(ids.map((id) => (known.has(id) ? 'duplicate' : 'accepted')));
  }
});

it.each(['SIGTERM', 'POST /v1/admin/drain'])('ends with 0 at %s, its requests answered, its logs sealed and its report gone', async (how) => {
  const replica = await ready({ UNDERSTUDY_KEYS: 'a-key-of-callers', UNDERSTUDY_ADMIN_KEY: 'the-key-of-admins' });
  const callers = { authorization: 'Bearer a-key-of-callers' };
  const requests = Array.from({ length: 20 }, (_, visitor) => call(`${replica.url}/v1/recommend`, { surface: 'home', sessionId: `s${visitor}` }, callers));
  await Promise.race(requests);
  if (how === 'SIGTERM') replica.child.kill('SIGTERM');
  else {
    expect((await call(`${replica.url}/v1/admin/drain`, {}, callers)).status).toBe(401);
    expect((await call(`${replica.url}/v1/admin/drain`, {}, { authorization: 'Bearer the-key-of-admins' })).body).toEqual({ replica: 'p1', draining: true });
  }
  const [code] = await once(replica.child, 'exit');
  expect(code).toBe(0);
  // Those whose connection had come in are answered; nobody gets half an answer.
  for (const outcome of await Promise.allSettled(requests)) if (outcome.status === 'fulfilled') expect(outcome.value.status).toBe(200);
  for (const stream of ['events', 'slates']) {
    const files = await readdir(join(root, 'log', 'home', stream));
    expect(files.filter((file) => file.endsWith('.open'))).toEqual([]);
  }
  expect(await readdir(join(root, 'run', 'replicas'))).not.toContain('p1.json');
});

it('names everything that is wrong with its environment', async () => {
  const wrong = launch({ UNDERSTUDY_PORT: 'many', UNDERSTUDY_REPLICA: 'Not Sound' });
  expect(await once(wrong.child, 'exit')).toEqual([2, null]);
  expect(wrong.errors()).toMatch(/UND-ENVIRONMENT.*UNDERSTUDY_PORT.*UNDERSTUDY_REPLICA/);
  const open = launch({ UNDERSTUDY_HOST: '0.0.0.0' });
  expect(await once(open.child, 'exit')).toEqual([2, null]);
  expect(open.errors()).toMatch(/UND-ENVIRONMENT.*UNDERSTUDY_KEYS/);
});

it('does not write into the logs of a living replica of its name', async () => {
  const replica = await ready();
  const twin = launch();
  expect(await once(twin.child, 'exit')).toEqual([2, null]);
  expect(twin.errors()).toMatch(/p1 runs already/);
  expect((await call(`${replica.url}/livez`)).status).toBe(200);
});

it('that was stopped and goes on beside its successor loses nothing of what either acknowledges', async () => {
  const sleeper = await ready({ UNDERSTUDY_REPLICA: 'p2' });
  const post = ({ url }: Replica, id: string) => call(`${url}/v1/events`, { events: [event(id)] });
  expect((await post(sleeper, 'twin-1')).status).toBe(200);
  sleeper.child.kill('SIGSTOP');
  // As its report does when it sleeps for longer than a report is fresh.
  await rm(join(root, 'run', 'replicas', 'p2.json'));
  const successor = await ready({ UNDERSTUDY_REPLICA: 'p2' });
  expect((await post(successor, 'twin-2')).status).toBe(200);
  sleeper.child.kill('SIGCONT');
  expect((await post(sleeper, 'twin-3')).status).toBe(200);
  for (const replica of [sleeper, successor]) {
    replica.child.kill('SIGTERM');
    await once(replica.child, 'exit');
  }
  const reader = openLogReader({ directory: join(root, 'log', 'home', 'events') });
  const kept: string[] = [];
  for await (const record of reader.read(await reader.sealed())) kept.push((record as { eventId: string }).eventId);
  expect(kept.filter((id) => id.startsWith('twin-')).sort()).toEqual(['twin-1', 'twin-2', 'twin-3']);
});
