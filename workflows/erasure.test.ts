import { createHash, generateKeyPairSync } from 'node:crypto';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { readLatest } from '../activities/context.ts';
import { withDuck } from '../activities/events/duckdb.ts';
import { eraseCommand } from '../cli/erase/command.ts';
import { fromTemporal } from '../activities/from-temporal.ts';
import { digestJson } from '../models/contracts/digest.ts';
import type { SignedCertificate } from '../models/contracts/erasure.ts';
import { rerunWorkflowId, taskQueues, workflowNames } from '../models/contracts/messages.ts';
import { createPseudonyms } from '../models/contracts/pseudonyms.ts';
import { dataState } from '../models/contracts/window.ts';
import { openFeatures } from '../stores/features/open-features.ts';
import { readLedger } from '../stores/ledger.ts';
import { latestReport } from '../stores/reports.ts';
import { openWorld, type World } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };
const pseudonymKey = 'a key of at least thirty-two characters';
const signingKey = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
const person = { userId: 'forget-me-4711', sessionId: 'session-of-4711', deviceId: 'phone-of-4711' };

async function ask<Answer>(world: World, ...argv: string[]): Promise<Answer> {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    await eraseCommand(world.command).parseAsync([...argv, '--json'], { from: 'user' });
  } finally {
    spy.mockRestore();
  }
  return JSON.parse(written.join('')) as Answer;
}

/** Each file below the state directory as it lies on the disk, and Parquet as its rows too. */
async function whereIs(stateDir: string, needles: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const files = (await readdir(stateDir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(50);
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    // A release goes on meanwhile, and writes.
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes === undefined) continue;
    if (needles.some((needle) => bytes.includes(needle))) found.push(path);
    if (bytes.subarray(0, 4).toString('latin1') !== 'PAR1') continue;
    const rows = await withDuck({ workDir: undefined }, (duck) => duck.rows(`SELECT * FROM read_parquet('${path}')`));
    if (needles.some((needle) => JSON.stringify(rows).includes(needle))) found.push(`${path} (rows)`);
  }
  return found;
}

describe.each(['none', 'keyed'] as const)('a person on a surface with %s pseudonyms', (pseudonyms) => {
  it('is forgotten everywhere, with a certificate that can be checked, and nobody else is', async () => {
    const world = await openWorld({
      ...servers,
      charter: { identity: { pseudonyms }, confidence: { purchase: 1, click: 0.2 } },
      pseudonymKey,
      signingKey,
      // Histories are encrypted in one of the two worlds.
      ...(pseudonyms === 'keyed' ? { payloadKey: pseudonymKey } : {}),
    });
    onTestFinished(() => world.close());
    const { surface, stateDir } = world;
    const state = ['--state', stateDir];
    const rows = Array.from({ length: 5 }, (_, nth) => `${person.userId},i00${nth},2026-02-1${nth}T10:00:00`);
    await appendFile(world.config.source?.file ?? '', `${[...rows, `${person.userId},,2026-02-11T11:00:00`, 'u7,,2026-02-11T11:00:00'].join('\n')}\n`);
    await world.bootstrapped();
    await expect.poll(async () => (await fetch(new URL('/readyz', world.servingUrl))).status, { timeout: 20_000 }).toBe(200);
    const post = async (path: string, body: object) =>
      (await (
        await fetch(new URL(path, world.servingUrl), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
      ).json()) as Record<string, unknown>;
    const atMs = Date.parse('2026-03-06T10:00:00Z');
    const click = (eventId: string, own: object) => ({ schemaVersion: 2, eventId, kind: 'click', surface, itemId: 'i001', atMs, ...own });
    const change = { surface, atMs, userId: person.userId };
    const { userId: _, ...anonymous } = person;
    const posted = await post('/v1/events', {
      events: [
        click('p1', anonymous),
        click('p2', person),
        click('p3', { userId: 'u7', sessionId: 'session-of-u7' }),
        { kind: 'login', eventId: 'p4', ...change, sessionId: person.sessionId, deviceId: person.deviceId },
        { kind: 'profile', eventId: 'p5', ...change, attributes: { tier: 'gold' } },
        { kind: 'consent', eventId: 'p6', ...change, purposes: { training: true } },
      ],
    });
    expect(posted).toMatchObject({ accepted: 6 });
    await post('/v1/recommend', { surface, userId: person.userId, sessionId: person.sessionId });
    const { id: report } = await post('/v1/reports', {
      ...{ surface, about: { of: 'item', itemId: 'i001' }, kind: 'wrong', words: 'It is not what it says.' },
      reporter: { userId: person.userId },
    });
    const reported = async () => latestReport(world.state.generations, { surface, id: String(report) });
    await expect.poll(reported, { timeout: 20_000 }).toBeDefined();
    await world.ingestLog();
    const [run] = await world.retrain('item-knn');

    const { of } = createPseudonyms(pseudonymKey);
    const stored = pseudonyms === 'keyed' ? of(person.userId) : person.userId;
    const set = { surface, view: 'shopper', version: 1, entity: 'user' as const };
    const features = await openFeatures({ stateDir, url: undefined });
    await features.put({ set, generation: 1, asOfMs: 1, rows: [stored, 'u7'].map((entity) => ({ entity, values: [3] })) });
    await features.publish({ set, published: { generation: 1, digest: digestJson('view'), asOfMs: 1, ttlMs: 1_000 } });
    await features.close();
    const sha256 = (id: string) => createHash('sha256').update(id).digest('hex');
    const needles = Object.values(person).flatMap((id) => [id, of(id), sha256(id), sha256(of(id))]);
    const before = await readLatest(world.state.generations, `data/${surface}`, dataState);
    const rowsOf = (data: typeof before) => (data?.document.slices ?? []).reduce((sum, slice) => sum + slice.rows, 0);
    expect((await whereIs(stateDir, needles)).length).toBeGreaterThan(5);
    if (pseudonyms === 'keyed') expect(await whereIs(stateDir, Object.values(person))).toEqual([]);

    // Without a key nothing is touched, and nothing is lost.
    const keyed = world.context.signingKey;
    world.context.signingKey = null;
    await expect(ask(world, 'people', '--user', 'never-heard-of', '--by', 'dpo', '--why', 'they asked', ...state)).rejects.toMatchObject({
      code: 'UND-SIGNING-KEY',
    });
    world.context.signingKey = keyed;
    const { pending } = await ask<{ pending: { id: string }[] }>(world, 'pending', ...state);
    expect(await ask(world, 'resume', pending[0]?.id ?? '', ...state)).toMatchObject({ certificate: { surfaces: [], removed: {}, slices: [] } });
    expect(await ask(world, 'pending', ...state)).toEqual({ pending: [] });

    const people = ['people', '--user', person.userId, ...state];
    expect(await ask(world, ...people, '--dry-run')).toMatchObject({ counts: [{ surface, events: 7, changes: 3, quarantined: 1 }] });
    await expect(ask(world, ...people)).rejects.toMatchObject({ code: 'UND-INPUT' });
    const answer = await ask<SignedCertificate & { receipts: { id: string; receipt: string }[] }>(
      world,
      ...people,
      '--by',
      'dpo',
      '--why',
      'they asked',
      '--reference',
      'ticket 9',
      '--models',
      'keep',
    );
    const { certificate, receipts } = answer;

    expect(await whereIs(stateDir, needles)).toEqual([]);
    expect(certificate).toMatchObject({ surfaces: [surface], people: 1, reference: 'ticket 9', models: { decision: 'keep' }, verified: { found: 0 } });
    expect(certificate.removed).toEqual({ events: 7, changes: 3, quarantined: 1, loggedEvents: 5, slates: 1, featureRows: 1 });
    expect(certificate.runs.map(({ runId }) => runId)).toContain(run?.runId);
    const after = await readLatest(world.state.generations, `data/${surface}`, dataState);
    // What they reported is still somebody's; what they said is gone.
    expect(await reported()).toMatchObject({ state: 'open', about: { itemId: 'i001' } });
    await expect(world.state.blobs.get((await reported())?.text ?? '')).rejects.toMatchObject({ code: 'UND-ERASED' });
    expect(rowsOf(before) - rowsOf(after)).toBe(7);
    expect(after?.document).toMatchObject({ erasedBy: certificate.id, quarantine: [{ reasons: { 'missing-item': 1 } }] });
    expect(certificate.windows.every(({ is }) => is !== null)).toBe(true);
    expect((await readLedger(world.state.generations, surface)).find(({ action }) => action === 'people-erased')).toMatchObject({
      by: 'dpo',
      detail: { erasure: certificate.id },
    });

    const left = await openFeatures({ stateDir, url: undefined });
    expect(await left.get({ set, digest: digestJson('view'), entities: [stored, 'u7'], nowMs: 2 })).toMatchObject({ rows: [undefined, [3]] });
    await left.close();

    // The replica does not know them any more, and knows the others.
    const { requestId } = (await post('/v1/recommend', { surface, userId: person.userId })) as { requestId: string };
    await post('/v1/admin/seal', { surface });
    const slates = (await world.state.logReader(surface, 'slates').tail({})).records as { requestId: string; history: string[] }[];
    expect(slates.find((slate) => slate.requestId === requestId)?.history).toEqual([]);

    const file = join(stateDir, '..', 'certificate.json');
    await writeFile(file, JSON.stringify(await ask(world, 'certificate', certificate.id, ...state)));
    expect(await ask(world, 'verify', file, '--id', person.userId, '--receipt', receipts[0]?.receipt ?? '')).toMatchObject({ signed: true, isAbout: true });
    await expect(ask(world, 'verify', file, '--id', 'somebody-else', '--receipt', receipts[0]?.receipt ?? '')).rejects.toMatchObject({ code: 'UND-INPUT' });
    await writeFile(file, (await readFile(file, 'utf8')).replace('"people":1', '"people":2'));
    await expect(ask(world, 'verify', file)).rejects.toMatchObject({ code: 'UND-DIGEST' });

    // What was made of them cannot be made again, and says why; neither can the file bring them back.
    const runId = run?.runId ?? '';
    const rerun = world.client.workflow.execute(workflowNames.rerun, { workflowId: rerunWorkflowId(runId), taskQueue: taskQueues.control, args: [{ runId }] });
    await expect(rerun.catch((error) => Promise.reject(fromTemporal(error)))).rejects.toMatchObject({
      code: 'UND-ERASED',
      details: { certificate: certificate.id },
    });
    await expect(world.ingest()).rejects.toMatchObject({ code: 'UND-ERASED' });
    expect((await readLatest(world.state.generations, `data/${surface}`, dataState))?.document).toEqual(after?.document);
  });
});
