import { describe, expect, it } from 'vitest';
import type { DeploymentSpec } from '../models/contracts/deployment.ts';
import { isTakenBack, onlyWhatStillStands, withoutCanary, withoutFenced } from './obey.ts';
import { canaryOf, specOf } from './testing.ts';

const rivals = (b: number, c: number) => [
  { artifact: 'b', share: b },
  { artifact: 'c', share: c },
];
/** A challenger and two rivals under canary. */
const running = specOf({ champion: 'x', challenger: 'a', rivals: ['b', 'c'], canary: canaryOf('a', { share: 0.1, rivals: rivals(0.2, 0.3) }) });
const newer = (over: Partial<DeploymentSpec>): DeploymentSpec => ({ ...running, generation: 2, replaces: 1, ...over });

describe('of a release with several challengers', () => {
  const ended = newer({ canary: null, challenger: null, rivals: undefined });
  it.each([
    ['fenced off', withoutFenced(running, { fencedReleases: ['rel-1'] })],
    ['over', onlyWhatStillStands(running, ended)],
    ['fenced off, with another running', onlyWhatStillStands(running, newer({ canary: canaryOf('d', { releaseId: 'rel-2' }), fencedReleases: ['rel-1'] }))],
    ['unknown', withoutCanary(running)],
    ['registered, and unknown', withoutCanary({ ...running, canary: null, challenger: null })],
  ])('nothing goes on when it is %s', (_, kept) => {
    expect(kept).toMatchObject({ generation: 1, champion: 'x', canary: null, challenger: null });
    expect(kept.rivals ?? []).toEqual([]);
  });

  it('those are out that are out in the newest, in their places; the shares of the others stay', () => {
    const canary = canaryOf('a', { share: 0, stage: 1, rivals: rivals(0.4, 0.6) });
    const first = onlyWhatStillStands(running, newer({ canary, challenger: 'b', rivals: ['c'] }));
    expect(first).toEqual({ ...running, challenger: null, canary: { ...running.canary, share: 0 } });
    const second = onlyWhatStillStands(running, newer({ canary: { ...canary, share: 0.1, rivals: rivals(0, 0.5) }, rivals: ['c'] }));
    expect(second).toEqual({ ...running, rivals: ['c'], canary: { ...running.canary, rivals: rivals(0, 0.3) } });
    // Also where the registration has not followed, and where it is not listed at all.
    expect(onlyWhatStillStands(running, newer({ canary }))).toEqual(first);
    const unlisted = onlyWhatStillStands(running, newer({ canary: canaryOf('a', { share: 0.1, rivals: rivals(0.2, 0).slice(0, 1) }), rivals: ['b'] }));
    expect(unlisted.canary?.rivals).toEqual(rivals(0.2, 0));
  });

  it('nothing changes where nobody lost: the same object, and nobody is out in the shadow', () => {
    expect(onlyWhatStillStands(running, newer({ canary: canaryOf('a', { share: 0.5, rivals: rivals(0.2, 0.1) }) }))).toBe(running);
    expect(onlyWhatStillStands(running, newer({ canary: canaryOf('a', { mode: 'shadow', share: 0, rivals: rivals(0, 0) }) }))).toBe(running);
    expect(withoutFenced(running, newer({ fencedReleases: ['another'] }))).toBe(running);
  });

  it('registered rivals stay as far as the newest has them', () => {
    const rehearsed = specOf({ champion: 'x', challenger: 'a', rivals: ['b', 'c'] });
    expect(onlyWhatStillStands(rehearsed, { ...rehearsed, challenger: 'c', rivals: ['d', 'a'] })).toEqual({ ...rehearsed, rivals: ['c'] });
    expect(onlyWhatStillStands(rehearsed, { ...rehearsed, champion: 'b', challenger: null, rivals: undefined })).toEqual({
      ...rehearsed,
      challenger: null,
      rivals: [],
    });
  });
});

it('a challenger that is alone keeps its share of 0, and goes with its release', () => {
  const alone = specOf({ champion: 'x', challenger: 'a', canary: canaryOf('a', { share: 0.5 }) });
  expect(onlyWhatStillStands(alone, { ...alone, canary: canaryOf('a', { share: 0 }) })).toBe(alone);
  const gone = { ...alone, challenger: null, canary: null };
  expect(onlyWhatStillStands(alone, { ...alone, challenger: 'b', canary: canaryOf('b', { releaseId: 'rel-2' }) })).toStrictEqual(gone);
  expect(withoutFenced(alone, { fencedReleases: ['rel-1'] })).toStrictEqual(gone);
  expect(withoutCanary(gone)).toBe(gone);
  expect(isTakenBack(alone, { ...alone, champion: 'y', fencedReleases: ['r0'] })).toBe(true);
});
