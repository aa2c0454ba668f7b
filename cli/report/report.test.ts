import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { report as reportSchema } from '../../models/contracts/report.ts';
import { putDocument } from '../../stores/blobs.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { reportCommand } from './command.ts';
import { describeOffline } from './describe-offline.ts';
import { openSurface } from './testing.ts';

async function open() {
  const { folder, state, run } = await openSurface(reportCommand);
  const fixture = JSON.parse(await readFile(new URL('../../models/contracts/fixtures/v1/report.json', import.meta.url), 'utf8'));
  const document = reportSchema.parse({
    ...fixture,
    surface: 'home',
    charterDiff: [{ path: '/gates/minUsers', before: 100, now: 10, loosens: true }],
    slices: { 'cold-users': { users: 7, metrics: { 'ndcg@10': { value: 0.1, low: 0, high: 0.2 } }, lift: null } },
    leak: [{ check: 'vocabulary', passed: false, reason: 'it was made of later events' }],
    segments: [
      { by: 'events', value: 'under 5', users: 70, tooFew: false, metrics: { 'ndcg@10': { value: 0.3, low: 0.2, high: 0.4 } }, lift: null },
      { by: 'events', value: '5 and more', users: 3, tooFew: true, metrics: {}, lift: null },
    ],
    tuning: {
      kind: 'tuning',
      metric: 'ndcg@10',
      train: { from: '2026-02-01', to: '2026-02-14' },
      validation: { from: '2026-02-16', to: '2026-02-20' },
      users: 60,
      trials: [
        { params: { factors: 32, lambda: 0.1 }, value: 0.1, low: 0.05, high: 0.15 },
        { params: { factors: 64, lambda: 0.1 }, value: 0.2, low: 0.15, high: 0.25 },
      ],
      chosen: 1,
    },
    frontier: {
      users: 70,
      depth: 50,
      chosen: 0.3,
      points: [0, 0.3].map((weight) => {
        const at = (value: number) => ({ value, low: value - 0.01, high: value + 0.01 });
        const metrics = { 'ndcg@10': at(0.2 - weight / 10), 'novelty@10': at(4 + weight), 'serendipity@10': at(0.1), 'diversity@10': at(0.5 + weight) };
        return { weight, metrics, lift: { 'ndcg@10': at(0 - weight / 10) } };
      }),
    },
    fairness: {
      ...{ users: 70, method: 'exposure' as const, depth: 100, asked: [{ name: 'small-makers', share: 0.2 }] },
      points: [0, 1].map((scale) => {
        const at = (value: number) => ({ value, low: value - 0.01, high: value + 0.01 });
        return {
          scale,
          metrics: { 'ndcg@10': at(0.2 - scale / 50) },
          lift: { 'ndcg@10': at(0 - scale / 50) },
          exposure: { 'small-makers': at(0.05 + scale * 0.15) },
        };
      }),
    },
    origins: {
      asked: 3,
      note: 'the data go back for 2 of 3 splits',
      splits: [2, 1].map((month) => ({
        train: { from: `2026-0${month}-01`, to: `2026-0${month}-20` },
        test: { from: `2026-0${month}-22`, to: `2026-0${month}-28` },
        users: 40,
        metrics: { 'ndcg@10': { value: 0.1 * month, low: 0, high: 0.4 } },
        lift: { 'ndcg@10': { value: 0.05, low: -0.01, high: 0.11 } },
      })),
      pooled: { 'ndcg@10': { mean: 0.15, deviation: 0.0707, lowest: 0.1, highest: 0.2 } },
      pooledLift: { 'ndcg@10': { mean: 0.05, deviation: 0, lowest: 0.05, highest: 0.05 } },
    },
  });
  const digest = await putDocument(state.blobs, document);
  const { frontier: _frontier, fairness: _fairness, ...older } = document;
  const before = await putDocument(state.blobs, older);
  return { folder, state, digest, before, document, run };
}

it('shows gates, metrics, slices and the charter that changed, as text, as one document and as a picture', async () => {
  const { folder, digest, document, run } = await open();
  const text = await run('home', '--evidence', digest, '--svg', 'lifts.svg', '--frontier', 'frontier.svg', '--fairness', 'fairness.svg');
  for (const part of [document.candidate, ...document.gates.map(({ gate }) => gate), 'ndcg@10', 'cold-users', '/gates/minUsers', 'LOOSENS', digest])
    expect(text).toContain(part);
  expect(text).toMatch(/events: under 5 +70 +0\.3000 \[0\.2000, 0\.4000\]/);
  expect(text).toMatch(/events: 5 and more +3 +too few/);
  expect(text).toContain('trained on 2026-02-01 to 2026-02-14 and measured on 2026-02-16 to 2026-02-20, 60 users');
  expect(text).toMatch(/^factors 64, lambda 0\.1 +0\.2000 \[0\.1500, 0\.2500\] +chosen$/m);
  expect(text).toMatch(/vocabulary +YES +it was made of later events/);
  expect(text).toMatch(/2026-01-01 to 2026-01-20 +2026-01-22 to 2026-01-28 +40 +0\.1000 \[0\.0000, 0\.4000\] +\+0\.0500/);
  expect(text).toContain('Over 2 splits: ndcg@10 0.1500 (standard deviation 0.0707, 0.1000 to 0.2000), lift +0.0500');
  expect(text).toContain('the data go back for 2 of 3 splits.');
  expect(text).toContain('Of 2 intervals of 95 % about 0.1 miss by chance');
  expect(JSON.parse(await run('home', '--evidence', digest, '--json'))).toEqual({ digest, ...document });
  expect(text).toMatch(/0\.3, the charter +0\.1700 +4\.3000 +0\.1000 +0\.8000 +-0\.0300 \[-0\.0400, -0\.0200\]/);
  expect(text).toContain('exposure of small-makers (asked 0.2)');
  expect(text).toMatch(/1, the charter +0\.1800 +-0\.0200 \[-0\.0300, -0\.0100\] +0\.2000 \[0\.1900, 0\.2100\]/);
  for (const file of ['lifts.svg', 'frontier.svg', 'fairness.svg']) expect(await readFile(join(folder, file), 'utf8')).toMatch(/^<svg /);
});

it('of trials on several rungs it says how far each came, and which could not be trained', async () => {
  const { document } = await open();
  const rungs = [
    { share: 0.5, trainUsers: 50, trials: 2 },
    { share: 1, trainUsers: 100, trials: 1 },
  ];
  const tuning: typeof document.tuning = document.tuning && {
    ...document.tuning,
    rungs,
    trials: [
      { params: { lambda: 9 }, value: 0, low: 0, high: 0, rung: 0, failed: 'it diverged' },
      { params: { lambda: 0.1 }, value: 0.2, low: 0.15, high: 0.25, rung: 1 },
    ],
  };
  const [text] = describeOffline({ ...document, tuning });
  expect(text).toMatch(/^lambda 9 +failed: it diverged +1 of 2 +50$/m);
  expect(text).toMatch(/^lambda 0\.1 +0\.2000 \[0\.1500, 0\.2500\] +2 of 2 +100 +chosen$/m);
});

it('shows the candidates of the request side by side, and why this one goes on, as the ledger has it', async () => {
  const { run, state, digest, document } = await open();
  const at = (value: number) => ({ value, low: value - 0.01, high: value + 0.01 });
  const entry = { runId: 'r', quality: at(0.0851), lift: null, isNear: true, isTaken: false, trainSeconds: 80, bytes: 2_000_000, p50Ms: 0.5, p99Ms: 1 };
  const entries = [
    { ...entry, candidate: 'sasrec', artifact: `sha256:${'e'.repeat(64)}` },
    { ...entry, candidate: 'ials', artifact: document.artifact, lift: at(-0.0009), isTaken: true, trainSeconds: null },
  ];
  const detail = { message: 'ials 0.0842; sasrec is dearer: ials', metric: 'ndcg@10', margin: 0.002, cheapest: 'training', confidence: 0.95, entries };
  await appendLedger(state.generations, { operationId: 'one', atMs: 1, surface: 'home', action: 'tournament', by: 'r', releaseId: null, detail });
  const text = await run('home', '--evidence', digest);
  expect(text).toMatch(/^sasrec +0\.0851 \[0\.0751, 0\.0951\] +the best +80\.0 s +2\.00 MB +0\.50 \/ 1\.00 +near the best$/m);
  expect(text).toMatch(/^ials .* -0\.0009 \[-0\.0109, \+0\.0091\] +- +2\.00 MB .* goes on$/m);
  expect(text).toContain('not worse than it by more than 0.0020, paired by user; of all such claims one in 20 is wrong');
  expect(text).toContain('ials 0.0842; sasrec is dearer: ials.');
});

it('says what is not there, with a code', async () => {
  const { run, digest, before } = await open();
  await expect(run('nowhere', '--evidence', digest)).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
  await expect(run('home', '--run', 'retrain/home/a/b')).rejects.toMatchObject({
    code: 'UND-NOT-FOUND',
    message: expect.stringContaining('understudy runs home'),
  });
  await expect(run('home')).rejects.toMatchObject({ code: 'UND-NOT-FOUND', message: expect.stringContaining('no report yet') });
  await expect(run('home', '--evidence', `sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
  await expect(run('home', '--evidence', digest, '--svg', 'no/such/folder/x.svg')).rejects.toMatchObject({ code: 'UND-FILE' });
  await expect(run('home', '--evidence', before, '--frontier', 'x.svg')).rejects.toMatchObject({
    code: 'UND-NOT-FOUND',
    message: expect.stringContaining('no frontier'),
  });
});
