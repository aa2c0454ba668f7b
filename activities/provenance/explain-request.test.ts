import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DeploymentSpec } from '../../models/contracts/deployment.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { createDeployment } from '../../stores/deployments.ts';
import { eraseFromLog } from '../../stores/erase-log.ts';
import { openLogWriter } from '../../stores/event-log-files.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { directoryOf } from '../../stores/open-logs.ts';
import { currentCharter } from '../registry/charters.ts';
import { requireRun } from '../registry/runs.ts';
import { drawRows, openRuns } from '../rerun/testing.ts';
import { describeExplanation } from './describe-explanation.ts';
import { explainRequest } from './explain-request.ts';
import { htmlOf } from './page.ts';

let runs: Awaited<ReturnType<typeof openRuns>>;
let artifact: string;
const day = 86_400_000;
const startMs = Date.UTC(2026, 3, 1);

beforeAll(async () => {
  runs = await openRuns({ files: { 'events.csv': drawRows({ users: 60, perUser: 10, days: 40, seed: Number(process.env.UNDERSTUDY_TEST_SEED) }) } });
  artifact = (await requireRun(runs, await runs.run())).artifact;
  const { generations } = runs.state;
  const { catalog } = await runs.state.generations.read('data/home', 1).then((data) => data as { catalog: string });
  const spec: DeploymentSpec = {
    ...{
      kind: 'deployment',
      surface: 'home',
      generation: 1,
      replaces: 0,
      operationId: 'r1/promote',
      champion: artifact,
      championRelease: 'r1',
      previousChampion: null,
    },
    ...{ canary: null, challenger: null, charter: await currentCharter(runs.state, 'home'), catalog, fencedReleases: [], paused: false },
    ...{ author: { kind: 'bootstrap', name: 'r1', reason: 'first' }, createdAtMs: startMs },
  };
  await createDeployment(generations, spec);
  const say = (operationId: string, action: string, releaseId: string | null, atMs: number, detail: Record<string, string | number>, by = 'a run') =>
    appendLedger(generations, { operationId, atMs, surface: 'home', action, by, releaseId, detail });
  await say('r1/open', 'release-opened', 'r1', startMs, { artifact, evidence: `sha256:${'e'.repeat(64)}` });
  await say('r1/promote/published', 'spec-published', 'r1', startMs, { generation: 1 });
  // Another has its turn; then a person goes back to the first, under a name of that order.
  const other = `sha256:${'b'.repeat(64)}`;
  await createDeployment(generations, {
    ...spec,
    generation: 2,
    replaces: 1,
    operationId: 'r2/promote',
    champion: other,
    championRelease: 'r2',
    previousChampion: artifact,
    createdAtMs: startMs + day,
  });
  await say('r2/vote', 'vote-approve', 'r2', startMs + day, { artifact: other, evidence: `sha256:${'f'.repeat(64)}` }, 'lead');
  await createDeployment(generations, {
    ...{
      ...spec,
      generation: 3,
      replaces: 2,
      operationId: 'override-1',
      championRelease: 'rollback-3',
      fencedReleases: ['r2'],
      createdAtMs: startMs + 2 * day,
    },
    author: { kind: 'override', name: 'sre', reason: 'rollback: it got worse', action: 'rollback' },
  });
  await say('override-1', 'rollback', 'r2', startMs + 2 * day, { why: 'it got worse' }, 'sre');
  const record = (requestId: string, generation: number, change: Partial<SlateRecord> = {}): SlateRecord => ({
    ...{
      schemaVersion: 1,
      requestId,
      surface: 'home',
      unit: 'u:u1',
      userId: 'u1',
      atMs: startMs + generation * day,
      replica: 'one',
      generation,
      releaseId: null,
      stage: null,
    },
    ...{
      variant: 'champion',
      enrolment: null,
      artifact,
      rung: 'model',
      rulesDigest: `sha256:${'1'.repeat(64)}`,
      history: ['i1'],
      historyWeights: [1],
      excluded: [],
    },
    ...{ items: ['i2', '<i>3'], scores: [0.5, 0.25], propensities: [1, 0.04], conditionalPropensities: [1, 0.2], latencyMs: 2 },
    exploration: {
      ...{ seed: 1, drawId: 'd', baseItems: ['i2', 'i4'], poolItems: ['<i>3'], poolProbabilities: [0.2], floorProbability: 0, floorItems: 3 },
      slots: [1],
    },
    ...change,
  });
  const directory = directoryOf(runs.stateDir, { surface: 'home', stream: 'slates' });
  const writer = await openLogWriter({ directory, writer: 'one' });
  await writer.append([record('sealed', 1), record('quote"d', 1), record('of-another', 1, { userId: 'u2', unit: 'u:u2' })]);
  await writer.seal();
  await writer.append([
    record('open', 3),
    record('fallen', 3, {
      artifact: null,
      rung: 'static',
      reason: 'no model',
      scores: [],
      propensities: null,
      conditionalPropensities: null,
      exploration: null,
    }),
  ]);
  openWriter = writer;
}, 120_000);
let openWriter: { close: () => Promise<void> } | undefined;
afterAll(async () => {
  await openWriter?.close();
  await runs.close();
});

const explain = (requestId: string) => explainRequest(runs.state, { requestId });

it('finds slates in sealed and in open segments, with scores, what chance has drawn, and the release of then', async () => {
  expect(await explain('sealed')).toMatchObject({
    shown: [
      { position: 1, itemId: 'i2', score: 0.5, isExplored: false },
      { position: 2, itemId: '<i>3', score: 0.25, isExplored: true, propensity: 0.04 },
    ],
    deployment: { generation: 1 },
    overrides: [],
    release: { releaseId: 'r1', isBootstrap: true },
    model: { manifest: { algorithm: 'ials' }, run: { artifact } },
  });
  expect((await explain('quote"d')).requestId).toBe('quote"d');
  expect(htmlOf(describeExplanation(await explain('sealed')))).toContain('<td>&lt;i&gt;3</td>');
});

it('leads back from a champion that a person went back to, to the release that it came by, and names the order', async () => {
  const explained = await explain('open');
  expect(explained).toMatchObject({
    deployment: { generation: 3 },
    release: { releaseId: 'r1' },
    overrides: [{ action: 'rollback', by: 'sre', why: 'it got worse' }],
  });
  expect(explained.release?.approvals).toEqual([]);
});

it('says of a slate that no model made that none did', async () => {
  const explained = await explain('fallen');
  expect(explained).toMatchObject({ model: null, release: null, shown: [{ itemId: 'i2', score: null }, { itemId: '<i>3' }] });
  expect(htmlOf(describeExplanation(explained))).toContain('No model answered');
});

it('tells what is unknown from what may have been erased', async () => {
  await expect(explain('nobody')).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
  await expect(explainRequest(runs.state, { requestId: 'sealed', surface: 'nowhere' })).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
  const matches = (record: unknown) => (record as { userId?: string }).userId === 'u2';
  await eraseFromLog({ directory: directoryOf(runs.stateDir, { surface: 'home', stream: 'slates' }), matches, certificate: 'er-0123456789abcdef01234567' });
  await expect(explain('of-another')).rejects.toMatchObject({ code: 'UND-ERASED', message: expect.stringContaining('er-0123456789abcdef01234567') });
  expect((await explain('sealed')).requestId).toBe('sealed');
});
