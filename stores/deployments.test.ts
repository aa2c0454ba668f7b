import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { latestDeployment, overrideDeployment, publishDeployment, readDeployment, sharesOver } from './deployments.ts';
import { openGenerationDirectory } from './generations-directory.ts';
import type { GenerationStore } from './generations.ts';

const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`;
const [first, second, charter, catalog] = ['a', 'b', 'c', 'd'].map(digestOf) as [string, string, string, string];
let root: string;
let series = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-deployments-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A surface whose champion is `first`, live through release r0. */
async function liveSurface(): Promise<{ generations: GenerationStore; surface: string }> {
  const generations = openGenerationDirectory({ root });
  series += 1;
  const surface = `home-${series}`;
  const result = await publishDeployment(generations, {
    ...step(surface, 'r0', 'bootstrap', 0),
    change: { champion: first, championRelease: 'r0', charter, catalog },
  });
  expect(result).toEqual({ status: 'published', generation: 1 });
  return { generations, surface };
}

const step = (surface: string, releaseId: string, name: string, expectedGeneration: number) => ({
  surface,
  releaseId,
  operationId: `${releaseId}/${name}`,
  expectedGeneration,
  author: { kind: 'release' as const, name: releaseId, reason: name },
  nowMs: 1,
});
const canary = (releaseId: string) => ({ releaseId, artifact: second, mode: 'canary' as const, stage: 0, cap: 0.01, share: 0.01, salt: releaseId });
const promotion = (releaseId: string) => ({ champion: second, championRelease: releaseId, previousChampion: first, canary: null, challenger: null });
const order = (surface: string, action: 'abort' | 'rollback' | 'pause' | 'resume') => ({
  action,
  surface,
  by: 'lead',
  why: 'test',
  operationId: `o-${action}`,
  nowMs: 2,
});

describe('deployment specs', () => {
  it('publishes the next generation once, however often the step is retried', async () => {
    const { generations, surface } = await liveSurface();
    const publication = { ...step(surface, 'r1', '1-split', 1), change: { canary: canary('r1') } };
    const results = await Promise.all([1, 2, 3].map(() => publishDeployment(generations, publication)));
    expect(results).toEqual([1, 2, 3].map(() => ({ status: 'published', generation: 2 })));
    expect((await latestDeployment(generations, surface))?.generation).toBe(2);
  });

  it("tells each challenger's share over a release, and how many shared it", async () => {
    const { generations, surface } = await liveSurface();
    const third = digestOf('e');
    const among = (share: number, other: number) => ({ ...canary('r1'), share, rivals: [{ artifact: third, share: other }] });
    const specs = [{ ...among(0, 0), mode: 'shadow' as const, stage: -1 }, among(0.02, 0.03), among(0.05, 0), canary('r2')];
    for (const [index, one] of specs.entries())
      await publishDeployment(generations, { ...step(surface, one.releaseId, `${index}`, index + 1), change: { canary: one }, nowMs: index });
    const sharesOf = (releaseId: string, artifact: string) => sharesOver(generations, { surface, releaseId, artifact });
    expect(await sharesOf('r1', second)).toEqual([0, 0.02, 0.05].map((share, fromMs) => ({ fromMs, share, challengers: 2 })));
    expect(await sharesOf('r1', third)).toEqual([0, 0.03, 0].map((share, fromMs) => ({ fromMs, share, challengers: 2 })));
    expect(await sharesOf('r2', second)).toEqual([{ fromMs: 3, share: 0.01, challengers: 1 }]);
    expect(await sharesOf('r3', second)).toEqual([]);
  });

  it('refuses a zombie step from before an abort, whatever generation it expected', async () => {
    const { generations, surface } = await liveSurface();
    await publishDeployment(generations, { ...step(surface, 'r1', '1-split', 1), change: { canary: canary('r1') } });
    const abort = await overrideDeployment(generations, order(surface, 'abort'), { releaseId: null });
    expect(abort).toMatchObject({ generation: 3, champion: first, fencedRelease: 'r1' });
    for (const expected of [1, 2, 3]) {
      const zombie = await publishDeployment(generations, { ...step(surface, 'r1', `9-promote-${expected}`, expected), change: promotion('r1') });
      expect(zombie.status).toBe('fenced');
    }
    expect(await latestDeployment(generations, surface)).toMatchObject({ generation: 3, champion: first, canary: null });
  });

  it('lets an abort win every race with a promotion: the champion from before is live and the release can write no more', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }), async (promoteAfter, abortAfter) => {
        const { generations, surface } = await liveSurface();
        await publishDeployment(generations, { ...step(surface, 'r1', '1-split', 1), change: { canary: canary('r1') } });
        const turns = async (count: number) => {
          for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        };
        await Promise.all([
          turns(promoteAfter).then(() => publishDeployment(generations, { ...step(surface, 'r1', '2-promote', 2), change: promotion('r1') })),
          turns(abortAfter).then(() => overrideDeployment(generations, order(surface, 'abort'), { releaseId: 'r1' })),
        ]);
        const latest = await latestDeployment(generations, surface);
        expect(latest).toMatchObject({ champion: first, canary: null });
        expect(latest?.fencedReleases).toContain('r1');
        const late = await publishDeployment(generations, { ...step(surface, 'r1', '3-promote', latest?.generation ?? 0), change: promotion('r1') });
        expect(late.status).toBe('fenced');
      }),
      { numRuns: 30 },
    );
  });

  it('says that it is paused, and goes on after the resume', async () => {
    const { generations, surface } = await liveSurface();
    await overrideDeployment(generations, order(surface, 'pause'), { releaseId: null });
    const publication = { ...step(surface, 'r1', '1-split', 1), change: { canary: canary('r1') } };
    expect(await publishDeployment(generations, publication)).toMatchObject({ status: 'paused', generation: 2 });
    await overrideDeployment(generations, order(surface, 'resume'), { releaseId: null });
    // The writer need not have seen either: they decide nothing for its release.
    expect(await publishDeployment(generations, publication)).toEqual({ status: 'published', generation: 4 });
    expect(await publishDeployment(generations, publication)).toEqual({ status: 'published', generation: 4 });
    expect(await publishDeployment(generations, { ...step(surface, 'r2', '1-split', 1), change: { canary: canary('r2') } })).toMatchObject({
      status: 'fenced',
    });
  });

  it('is fenced by an abort that hides between a pause and a resume', async () => {
    const { generations, surface } = await liveSurface();
    for (const action of ['pause', 'abort', 'resume'] as const) await overrideDeployment(generations, order(surface, action), { releaseId: null });
    expect(await publishDeployment(generations, { ...step(surface, 'r1', '1-split', 1), change: { canary: canary('r1') } })).toMatchObject({
      status: 'fenced',
      why: 'generation 3 was written by lead',
    });
  });

  it('rolls back to the champion from before, then further back, never forward to what was taken back', async () => {
    const { generations, surface } = await liveSurface();
    const third = digestOf('e');
    await publishDeployment(generations, { ...step(surface, 'r1', '1-promote', 1), change: promotion('r1') });
    await publishDeployment(generations, { ...step(surface, 'r2', '1-promote', 2), change: { ...promotion('r2'), champion: third, previousChampion: second } });
    const rollback = () => overrideDeployment(generations, order(surface, 'rollback'), { releaseId: null });
    expect(await rollback()).toMatchObject({ champion: second, generation: 4 });
    expect(await rollback()).toMatchObject({ champion: first, generation: 5 });
    await expect(rollback()).rejects.toMatchObject({ code: 'UND-NO-REQUEST' });
    expect(await readDeployment(generations, surface, 3)).toMatchObject({ champion: third });
  });

  it('takes a champion back once, however many people order it at once', async () => {
    const { generations, surface } = await liveSurface();
    await publishDeployment(generations, { ...step(surface, 'r1', '1-promote', 1), change: promotion('r1') });
    const both = await Promise.all(
      ['ada', 'bob'].map((by) =>
        overrideDeployment(generations, { ...order(surface, 'rollback'), by, operationId: `o-${by}` }, { releaseId: null, champion: second }),
      ),
    );
    expect(both.map(({ champion }) => champion)).toEqual([first, first]);
    expect(await latestDeployment(generations, surface)).toMatchObject({ champion: first, generation: 3 });
    expect(both.filter(({ note }) => note.includes('was first'))).toHaveLength(1);
  });

  it('has nothing to roll back to while the first champion is live', async () => {
    const { generations, surface } = await liveSurface();
    await expect(overrideDeployment(generations, order(surface, 'rollback'), { releaseId: null })).rejects.toMatchObject({ code: 'UND-NO-REQUEST' });
  });
});
