import { describe, expect, it } from 'vitest';
import { checkCandidates } from './registry.ts';

const mistakesOf = (...candidates: unknown[]) => checkCandidates({ candidates }).map(({ path }) => path);

describe("a charter's candidates", () => {
  it('are well with the parameters that their algorithms take, or none', () => {
    expect(
      mistakesOf(
        { name: 'a', algorithm: 'popularity' },
        { name: 'b', algorithm: 'ials', params: { factors: 16 } },
        { name: 'c', algorithm: 'guest', params: { folder: './model' } },
        { name: 'd', algorithm: 'ials', params: { factors: 16 }, warmStart: { sweeps: 2 } },
        { name: 'e', algorithm: 'embedding-knn', embeddings: { of: 'd' } },
        // Whom it names, the charter itself looks at.
        { name: 'f', algorithm: 'embedding-knn', embeddings: { of: 'nobody' } },
        { name: 'h', algorithm: 'ials', gpu: {} },
        { name: 'i', algorithm: 'sasrec', gpu: { without: 'cpu' } },
        { name: 'g', algorithm: 'trainer', params: { deep: { as: ['you', 'like'] } }, taskQueue: 'training-pytorch', waitMs: 60_000 },
      ),
    ).toEqual([]);
  });

  it('are named with all that is wrong before anything is trained', () => {
    expect(
      mistakesOf(
        { name: 'a', algorithm: 'magic' },
        { name: 'b', algorithm: 'ials', params: { factors: -1, sweeps: 0, warp: true } },
        { name: 'c', algorithm: 'guest' },
        { name: 'd', algorithm: 'toString' },
        { name: 'e', algorithm: 'item-knn', params: 'many' },
        { name: 'f', algorithm: 'ials', warmStart: { sweeps: 0 } },
        { name: 'g', algorithm: 'popularity', warmStart: {} },
        { name: 'h', algorithm: 'guest', params: { folder: './model' }, warmStart: {}, embeddings: { of: 'f' } },
        { name: 'i', algorithm: 'embedding-knn' },
        { name: 'j', algorithm: 'embedding-knn', embeddings: { of: 'g' } },
        { name: 'k', algorithm: 'ials', embeddings: { of: 'f' } },
        { name: 'l', algorithm: 'trainer' },
        { name: 'm', algorithm: 'trainer', taskQueue: 'understudy-training' },
        { name: 'n', algorithm: 'trainer', taskQueue: 'mine', tune: { rate: [1, 2] }, warmStart: {}, embeddings: { of: 'f' }, index: {} },
        { name: 'o', algorithm: 'ials', taskQueue: 'mine', waitMs: 60_000 },
        { name: 'p', algorithm: 'guest', params: { folder: './model' }, taskQueue: 'mine' },
        { name: 'q', algorithm: 'embedding-knn', embeddings: { of: 'n' } },
      ),
    ).toEqual([
      '/candidates/0/algorithm',
      '/candidates/1/params/factors',
      '/candidates/1/params/sweeps',
      '/candidates/1/params/warp',
      '/candidates/2/params/folder',
      '/candidates/3/algorithm',
      '/candidates/4/params',
      '/candidates/5/warmStart/sweeps',
      '/candidates/6/warmStart',
      '/candidates/7/warmStart',
      '/candidates/7/embeddings',
      '/candidates/8/embeddings',
      '/candidates/9/embeddings/of',
      '/candidates/10/embeddings',
      '/candidates/11/taskQueue',
      '/candidates/12/taskQueue',
      '/candidates/13/tune',
      '/candidates/13/warmStart',
      '/candidates/13/embeddings',
      '/candidates/13/index',
      '/candidates/14/taskQueue',
      '/candidates/14/waitMs',
      '/candidates/15/taskQueue',
      '/candidates/16/embeddings/of',
    ]);
    expect(checkCandidates({ candidates: [{ algorithm: 'magic' }] })[0]?.message).toContain(
      'popularity, item-knn, ials, gf-cf, ease, embedding-knn, session-knn, sasrec, two-tower, ncf, guest, trainer',
    );
  });

  it('leave what is no candidate to the schema', () => {
    for (const charter of [undefined, null, 'x', {}, { candidates: 7 }, { candidates: [null, 7, {}, { algorithm: 7 }] }])
      expect(checkCandidates(charter)).toEqual([]);
  });

  it('are for a GPU only where there is a way to train them on one', () => {
    const candidates = [
      { name: 'a', algorithm: 'item-knn', gpu: {} },
      { name: 'b', algorithm: 'two-tower', gpu: {} },
      { name: 'c', algorithm: 'guest', params: { folder: './model' }, gpu: {} },
      { name: 'd', algorithm: 'trainer', taskQueue: 'mine', gpu: {} },
    ];
    expect(checkCandidates({ candidates })).toEqual([
      { path: '/candidates/0/gpu', message: expect.stringMatching(/those that can be on a GPU are ials, .*sasrec/) },
      { path: '/candidates/2/gpu', message: 'a guest comes trained' },
      { path: '/candidates/3/gpu', message: expect.stringMatching(/trainer of your own/) },
    ]);
  });
});
