import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import example from '../../examples/online-retail/understudy.config.ts';
import { openState } from '../context.ts';
import { currentCharter, registerCharter } from './charters.ts';

it('takes charters that are registered in the same moment: the same one once, another after it', async () => {
  const root = await mkdtemp(join(tmpdir(), 'understudy-charters-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const state = openState(root);
  const registered = await Promise.all([1, 2, 3].map((nowMs) => registerCharter(state, example, nowMs)));
  expect(new Set(registered.map(({ digest }) => digest)).size).toBe(1);
  expect((await state.generations.latest('charter/home'))?.generation).toBe(1);
  const [, other] = await Promise.all([example, { ...example, title: 'Another' }].map((charter) => registerCharter(state, charter, 4)));
  expect([registered[0]?.digest, other?.digest]).toContain(await currentCharter(state, 'home'));
});

it('names what is wrong with the candidates too', async () => {
  const root = await mkdtemp(join(tmpdir(), 'understudy-charters-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const charter = { ...example, objective: 'fame', candidates: [...example.candidates, { name: 'wild', algorithm: 'ials', params: { factors: -1 } }] };
  await expect(registerCharter(openState(root), charter, 1)).rejects.toMatchObject({
    code: 'UND-CHARTER',
    mistakes: expect.arrayContaining([expect.objectContaining({ path: '/objective' }), expect.objectContaining({ path: '/candidates/4/params/factors' })]),
  });
});
