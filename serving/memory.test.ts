import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Charter } from '../models/contracts/charter.ts';
import type { CanarySpec } from '../models/contracts/deployment.ts';
import type { Event, EventKind } from '../models/contracts/event.ts';
import { createEnrolments } from './enrolments.ts';
import { createProfileStore } from './profiles.ts';
import { createRecentIds } from './recent-ids.ts';

const canary = (share: number, releaseId = 'r1'): CanarySpec => ({
  releaseId,
  artifact: `sha256:${'a'.repeat(64)}`,
  mode: 'canary',
  stage: 0,
  cap: 1,
  share,
  salt: releaseId,
});

describe('enrolments', () => {
  it('keeps a unit where its first request put it, whatever the share becomes', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 10 }), (shares) => {
        const enrolments = createEnrolments();
        const units = Array.from({ length: 20 }, (_, index) => `u:${index}`);
        const assign = (share: number, unit: string) => enrolments.assign({ canary: canary(share), unit, generation: 1, nowMs: 1 });
        const first = units.map((unit) => assign(shares[0] as number, unit));
        for (const share of shares) expect(units.map((unit) => assign(share, unit))).toEqual(first);
      }),
    );
  });

  it('gives the challenger its share, and draws anew for the next release', () => {
    const enrolments = createEnrolments();
    const challengers = (releaseId: string) =>
      Array.from(
        { length: 4_000 },
        (_, index) => enrolments.assign({ canary: canary(0.25, releaseId), unit: `u:${index}`, generation: 1, nowMs: 1 }).variant === 'challenger',
      );
    const [one, two] = [challengers('r1'), challengers('r2')];
    const count = (list: boolean[]) => list.filter(Boolean).length;
    expect(count(one)).toBeGreaterThan(850);
    expect(count(one)).toBeLessThan(1_150);
    expect(count(one.map((is, index) => is && (two[index] as boolean)))).toBeLessThan(400);
  });

  it('takes the oldest enrolment of the log, and none of another release', () => {
    const enrolments = createEnrolments({ releaseId: 'r1' });
    const enrolment = { share: 1, bucket: 0.5, atMs: 10, generation: 3 };
    enrolments.restore({ releaseId: 'r0', unit: 'u:1', enrolment: { ...enrolment, share: 0, atMs: 1 } });
    enrolments.restore({ releaseId: 'r1', unit: 'u:1', enrolment: { ...enrolment, share: 0, atMs: 20 } });
    enrolments.restore({ releaseId: 'r1', unit: 'u:1', enrolment });
    expect(enrolments.assign({ canary: canary(0), unit: 'u:1', generation: 9, nowMs: 99 })).toEqual({
      variant: 'challenger',
      challenger: canary(0).artifact,
      enrolment,
    });
  });

  it('enrols nobody new while records cannot be written, and forgets all when the release is over', () => {
    const enrolments = createEnrolments();
    const assign = (unit: string, mayEnrol: boolean) => enrolments.assign({ canary: canary(1), unit, generation: 1, nowMs: 1, mayEnrol });
    expect(assign('u:1', true).variant).toBe('challenger');
    expect(assign('u:1', false).variant).toBe('challenger');
    expect(assign('u:2', false)).toEqual({ variant: 'champion', challenger: null, enrolment: null });
    expect(assign('u:2', true).variant).toBe('challenger');
    enrolments.end();
    expect(enrolments.size()).toBe(0);
  });

  it('enrols nobody in shadow, without a canary, or without a name', () => {
    const enrolments = createEnrolments();
    const nobody = { variant: 'champion', challenger: null, enrolment: null };
    expect(enrolments.assign({ canary: null, unit: 'u:1', generation: 1, nowMs: 1 })).toEqual(nobody);
    expect(enrolments.assign({ canary: { ...canary(1), mode: 'shadow' }, unit: 'u:1', generation: 1, nowMs: 1 })).toEqual(nobody);
    expect(enrolments.assign({ canary: canary(1), unit: null, generation: 1, nowMs: 1 })).toEqual(nobody);
  });
});

describe('profiles', () => {
  const charter = { confidence: { click: 1, purchase: 4 } } as Charter;
  const event = (kind: EventKind, itemId: string, atMs: number): Event => ({
    schemaVersion: 1,
    eventId: `${kind}${itemId}${atMs}`,
    kind,
    surface: 'home',
    userId: 'ann',
    sessionId: 's',
    itemId,
    atMs,
  });

  it('orders events by when they happened and weighs them by the charter', () => {
    const profiles = createProfileStore({ charter: () => charter });
    for (const one of [event('click', 'b', 2), event('purchase', 'c', 3), event('click', 'a', 1), event('impression', 'z', 4)]) profiles.accept(one);
    expect(profiles.profileOf('u:ann')).toEqual({ items: ['a', 'b', 'c'], weights: [1, 1, 4], purchased: new Set(['c']), untilMs: 3 });
    expect(profiles.profileOf('s:s').items).toEqual([]);
  });

  it('forgets what was sent back', () => {
    const profiles = createProfileStore({ charter: () => charter });
    profiles.setSnapshot({ profiles: new Map([['ann', [['x', 4]]]]), throughMs: 0 });
    for (const one of [event('purchase', 'a', 1), event('purchase', 'b', 2), event('return', 'a', 3), event('return', 'x', 4)]) profiles.accept(one);
    expect(profiles.profileOf('u:ann').purchased).toEqual(new Set(['b']));
    expect(profiles.profileOf('u:ann').items).toEqual(['x', 'b']);
  });

  it('puts the snapshot before what is live, and counts nothing twice', () => {
    const profiles = createProfileStore({ charter: () => charter });
    profiles.accept(event('click', 'old', 5));
    profiles.accept(event('click', 'new', 15));
    profiles.setSnapshot({
      profiles: new Map([
        [
          'ann',
          [
            ['old', 1],
            ['bought', 4],
          ],
        ],
      ]),
      throughMs: 10,
    });
    expect(profiles.profileOf('u:ann')).toEqual({ items: ['old', 'bought', 'new'], weights: [1, 4, 1], purchased: new Set(['bought']), untilMs: 15 });
  });

  it('shows again what was sent back after the snapshot had it, whenever it was bought', () => {
    const profiles = createProfileStore({ charter: () => charter });
    profiles.accept(event('purchase', 'x', 1));
    profiles.setSnapshot({ profiles: new Map([['ann', [['x', 4]]]]), throughMs: 2 });
    expect(profiles.profileOf('u:ann').purchased).toEqual(new Set(['x']));
    profiles.accept(event('return', 'x', 3));
    expect(profiles.profileOf('u:ann').purchased).toEqual(new Set());
    profiles.accept(event('purchase', 'x', 4));
    expect(profiles.profileOf('u:ann').purchased).toEqual(new Set(['x']));
  });

  it('keeps the last purchases of one that buys without end', () => {
    const profiles = createProfileStore({ charter: () => charter });
    for (let at = 1; at <= 3_000; at += 1) profiles.accept(event('purchase', `i${at}`, at));
    const { purchased } = profiles.profileOf('u:ann');
    expect(purchased.size).toBe(1_000);
    expect(purchased.has('i3000') && purchased.has('i2001')).toBe(true);
    for (let at = 1; at <= 500; at += 1) profiles.accept(event('purchase', 'again', at));
    expect(profiles.profileOf('u:ann').purchased.has('again')).toBe(true);
  });

  it('answers the last items as the whole profile has them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ atMs: fc.nat(20), item: fc.nat(5), kind: fc.constantFrom<EventKind>('click', 'purchase', 'return', 'impression') })),
        (events) => {
          const profiles = createProfileStore({ charter: () => charter });
          profiles.setSnapshot({
            profiles: new Map([
              [
                'ann',
                [
                  ['s1', 1],
                  ['s2', 4],
                ],
              ],
            ]),
            throughMs: 5,
          });
          for (const { kind, item, atMs } of events) profiles.accept(event(kind, `i${item}`, atMs));
          for (const unit of ['u:ann', 's:s', 'u:bea'])
            for (const count of [1, 3, 200]) expect(profiles.lastItems(unit, count)).toEqual(profiles.profileOf(unit).items.slice(-count));
        },
      ),
    );
  });

  it('is bounded by unit and in units', () => {
    const profiles = createProfileStore({ charter: () => charter, maxUnits: 2 });
    for (let at = 0; at < 500; at += 1) profiles.accept(event('click', `i${at}`, at));
    expect(profiles.profileOf('u:ann').items).toHaveLength(100);
    expect(profiles.profileOf('u:ann').items.at(-1)).toBe('i499');
    for (const userId of ['b', 'c']) profiles.accept({ ...event('click', 'i1', 1), userId });
    expect(profiles.profileOf('u:ann').items).toEqual([]);
  });
});

it('remembers at least the last ids, and not without bound', () => {
  const ids = createRecentIds({ capacity: 100 });
  for (let id = 0; id < 1_000; id += 1) ids.add(`e${id}`);
  for (let id = 900; id < 1_000; id += 1) expect(ids.has(`e${id}`)).toBe(true);
  expect(ids.has('e700')).toBe(false);
});
