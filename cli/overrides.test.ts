import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openState } from '../activities/context.ts';
import { latestDeployment, publishDeployment } from '../stores/deployments.ts';
import { readEnvironment } from './environment.ts';
import { orderOverride } from './overrides.ts';

it('an override stands even where its line in the ledger cannot be written, and says so', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-overrides-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true }));
  const { generations } = openState(stateDir);
  const digest = `sha256:${'a'.repeat(64)}`;
  await publishDeployment(generations, {
    surface: 'home',
    expectedGeneration: 0,
    operationId: 'r0/1-promote',
    releaseId: 'r0',
    change: { champion: digest, charter: digest, catalog: digest },
    author: { kind: 'bootstrap', name: 'r0', reason: 'first' },
    nowMs: 1,
  });
  await mkdir(join(stateDir, 'series', 'ledger', 'home'), { recursive: true });
  await writeFile(join(stateDir, 'series', 'ledger', 'home', '00000001.json'), '{"kind": "something else"}');
  const context = { env: readEnvironment({}), cwd: stateDir, now: () => 2 };
  await expect(orderOverride(context, stateDir, { action: 'pause', surface: 'home', by: 'sre', why: 'a look' })).rejects.toMatchObject({
    code: 'UND-STATE',
    message: expect.stringMatching(/^Generation 2 is written and stands .*ledger/),
  });
  expect(await latestDeployment(generations, 'home')).toMatchObject({ generation: 2, paused: true });
});
