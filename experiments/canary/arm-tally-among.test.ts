import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { armOf, type SlateRecord } from '../../models/contracts/slate.ts';
import { createRandom } from '../../models/random.ts';
import { type ArmData, nextBlockEnd, type StratumArm } from './arm-data.ts';
import { createArmTally } from './arm-tally.ts';
import { decideAmong, pairOf, type SharedStratum } from './decide-among.ts';
import { bought, drawLog, type Log, slate } from './testing-log.ts';
import { canary } from './testing.ts';

const reward = { weights: { purchase: 1 }, attributionMs: 1_000, capPerUnit: 1 };
const tally = (watch?: { startedAtMs: number; quietAfterMs: number }) => createArmTally({ releaseId: 'r', reward, maxP99Ms: 50, watch });
const seed = 17;

function counted({ slates, events }: Log) {
  const counts = tally();
  counts.add(slates);
  counts.addEvents(events);
  return counts;
}

/** The shares move twice, and the second challenger is out at the end. */
const steps = [
  [0.1, 0.1, 0.1],
  [0.2, 0.05, 0.15],
  [0.25, 0, 0.2],
] as const;
const rates = [0.2, 0.25, 0.1, 0.2];
const draw = (users: number, own = seed) => drawLog({ seed: own, users, rates, sharesOf: (user) => steps[Math.min(2, Math.floor((3 * user) / users))] ?? [] });

/** Counted user by user, by what the words say: the blocks of a pair are cut on the users of the two, and each user has a share and an arm. */
function sharedStrata({ slates, events }: Log, name: number, nowMs: number): SharedStratum[] {
  const buyers = new Set(events.filter((one) => one.kind === 'purchase').map((one) => `u:${one.userId}`));
  const found: SharedStratum[] = [];
  let users = 0;
  let cut = nextBlockEnd(0);
  let generation = -1;
  for (const { unit, enrolment } of slates) {
    if (enrolment === null) continue;
    const arm = armOf(enrolment);
    const all = [enrolment.share, ...(enrolment.rivalShares ?? [])];
    if ((arm !== 0 && arm !== name) || (all[name - 1] ?? 0) === 0) continue;
    if (users === cut || generation !== enrolment.generation) {
      if (users === cut) cut = nextBlockEnd(users);
      generation = enrolment.generation;
      const none = (): StratumArm => ({ enrolled: 0, ripe: [] });
      const shares = Object.fromEntries(all.map((share, index) => [`c${index + 1}`, share]));
      found.push({ generation, shares, champion: none(), challengers: { [`c${name}`]: none() } });
    }
    users += 1;
    const stratum = found.at(-1) as SharedStratum;
    const own = arm === 0 ? stratum.champion : (stratum.challengers[`c${name}`] as StratumArm);
    own.enrolled += 1;
    if (nowMs - enrolment.atMs <= reward.attributionMs) continue;
    const earned = buyers.has(unit) ? 1 : 0;
    const known = own.ripe.find(([value]) => value === earned);
    if (known === undefined) own.ripe.push([earned, 1]);
    else known[1] += 1;
    own.ripe.sort(([a], [b]) => a - b);
  }
  return found;
}

describe('the tally of several challengers', () => {
  it('gives each pair the strata and the decision that counting by hand gives', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 900 }), fc.nat(), fc.integer({ min: 0, max: 12_000 }), (users, own, nowMs) => {
        const log = draw(users, own);
        const counts = counted(log);
        const names = ['c1', 'c2', 'c3'];
        const byTally: Record<string, ArmData> = {};
        const byHand: Record<string, ArmData> = {};
        for (const [index, name] of names.entries()) {
          const { signs: _signs, byUser: _byUser, ...data } = counts.summarize({ nowMs, challenger: index + 1 });
          const pair = pairOf(sharedStrata(log, index + 1, nowMs), name, { ripeByStage: data.ripeByStage });
          expect(data.strata.map(({ block: _, ...stratum }) => stratum)).toEqual(pair.strata);
          for (const variant of ['champion', 'challenger'] as const) {
            const { enrolled, ripe, converted, rewardSum } = data[variant];
            expect(pair[variant]).toMatchObject({ enrolled, ripe, converted, rewardSum });
          }
          byTally[name] = data;
          byHand[name] = pair;
        }
        const look = (arms: Record<string, ArmData>) =>
          decideAmong({
            charter: { release: { canary }, reward },
            intents: { c1: 'replace', c2: 'refresh', c3: 'refresh' },
            ...{ releaseId: 'r', look: 3, stage: 1, shares: { c1: 0.25, c2: 0.1, c3: 0.15 }, elapsedMs: 500 },
            arms,
          });
        const [one, other] = [look(byTally), look(byHand)];
        expect({ ...one, decisions: null }).toEqual({ ...other, decisions: null });
        for (const name of names) expect(one.decisions[name]?.lift).toEqual(other.decisions[name]?.lift);
      }),
      { seed, numRuns: 40 },
    );
  });

  it('gives every pair the same in whatever order and pieces the log arrives', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(), fc.integer({ min: 0, max: 2_000 }), (users, own, nowMs) => {
        const log = draw(users, own);
        const random = createRandom(own);
        const pieces = tally();
        // A third of the users come again, some of them when their challenger is out.
        const again = log.slates
          .filter(() => random.below(3) === 0)
          .map(
            (one): SlateRecord => ({ ...one, requestId: `${one.requestId}x`, atMs: one.atMs + 300, variant: random.below(2) === 0 ? 'champion' : one.variant }),
          );
        const whole = counted({ slates: [...log.slates, ...again], events: log.events });
        const arrivals = [...[...log.slates, ...again].map((one) => () => pieces.add([one])), ...log.events.map((one) => () => pieces.addEvents([one]))];
        while (arrivals.length > 0) {
          arrivals.splice(random.below(arrivals.length), 1)[0]?.();
          if (random.below(6) === 0) pieces.summarize({ nowMs: random.below(2_000), challenger: 1 + random.below(3) });
        }
        for (const challenger of [1, 2, 3]) expect(pieces.summarize({ nowMs, challenger })).toEqual(whole.summarize({ nowMs, challenger }));
      }),
      { seed, numRuns: 50 },
    );
  });

  it("counts every user of a challenger once, and the champion's in each pair in which they could have met the challenger", () => {
    const log = draw(1_200);
    const counts = counted(log);
    const pairs = [1, 2, 3].map((challenger) => counts.summarize({ nowMs: 20_000, challenger }));
    const armsOf = log.slates.map(({ enrolment }) => (enrolment === null ? -1 : armOf(enrolment)));
    for (const [index, pair] of pairs.entries()) {
      expect(pair.challenger.enrolled).toBe(armsOf.filter((arm) => arm === index + 1).length);
      expect(pair.challenger.slates).toBe(pair.challenger.enrolled);
    }
    const sharesIn = pairs.map(({ strata }) => [...new Set(strata.map(({ share }) => share.toFixed(6)))]);
    const parts = [
      [0.1 / 0.8, 0.2 / 0.8, 0.25 / 0.8],
      [0.1 / 0.8, 0.05 / 0.65],
      [0.1 / 0.8, 0.15 / 0.75, 0.2 / 0.75],
    ];
    expect(sharesIn).toEqual(parts.map((shares) => shares.map((share) => share.toFixed(6))));
    const champions = armsOf.filter((arm) => arm === 0).length;
    expect(pairs.map((pair) => pair.champion.enrolled)).toEqual([champions, armsOf.slice(0, 800).filter((arm) => arm === 0).length, champions]);
    expect(pairs.reduce((sum, pair) => sum + pair.challenger.enrolled, champions)).toBe(1_200);
  });

  it('tells no segments apart, since none has shares of its own', () => {
    const log = draw(300);
    const slates = log.slates.map((one, index) => ({ ...one, segment: index % 2 === 0 ? 'known' : 'new' }));
    expect(counted({ ...log, slates }).summarize({ nowMs: 5_000, challenger: 3 })).toEqual(counted(log).summarize({ nowMs: 5_000, challenger: 3 }));
  });

  it('knows of one alone what it always knew, whether beside it stands a rival without a share or none', () => {
    const log = drawLog({ seed, users: 700, rates, sharesOf: (user) => [user < 300 ? 0.1 : 0.4] });
    const beside = log.slates.map((one) => ({ ...one, enrolment: one.enrolment && { ...one.enrolment, rivalShares: [0] } }));
    const alone = counted(log).summarize({ nowMs: 5_000 });
    expect(alone.challenger.ripe).toBeGreaterThan(50);
    expect(counted({ ...log, slates: beside }).summarize({ nowMs: 5_000 })).toEqual(alone);
    expect(counted({ ...log, slates: beside }).summarize({ nowMs: 5_000, challenger: 2 })).toMatchObject({ champion: { enrolled: 0 }, strata: [] });
    expect(counted(log).summarize({ nowMs: 5_000, challenger: 2 })).toMatchObject({ champion: { enrolled: 0 }, challenger: { enrolled: 0 }, strata: [] });
  });
});

describe('slates and signs of a pair', () => {
  const enrolment = (bucket: number) => ({ share: 0.2, rivalShares: [0.2], bucket, atMs: 0, generation: 3 });
  const [own, rival, champions] = [enrolment(0.1), enrolment(0.3), enrolment(0.9)];
  const failing = { rung: 'static' as const, items: [], latencyMs: 80 };

  it("are its challenger's and the champion's; those that the champion answers for one that is out are nobody's", () => {
    const counts = tally();
    counts.add([
      slate({ requestId: 'a1', unit: 'u:a', variant: 'challenger', enrolment: own }),
      slate({ requestId: 'b1', unit: 'u:b', variant: 'challenger', enrolment: rival, ...failing }),
      slate({ requestId: 'b2', unit: 'u:b', variant: 'champion', enrolment: rival, ...failing }),
      slate({ requestId: 'c1', unit: 'u:c', variant: 'champion', enrolment: champions }),
    ]);
    const [first, second] = [1, 2].map((challenger) => counts.summarize({ nowMs: 10, challenger }));
    expect(first).toMatchObject({
      challenger: { enrolled: 1, slates: 1, errors: 0, fallbacks: 0 },
      champion: { enrolled: 1, slates: 1, errors: 0, fallbacks: 0 },
      slow: { champion: 0, challenger: 0 },
      byUser: { users: 1, errors: 0, fallbacks: 0, slow: 0 },
    });
    expect(second).toMatchObject({
      challenger: { enrolled: 1, slates: 1, errors: 1, fallbacks: 1 },
      champion: { enrolled: 1, slates: 1, errors: 0 },
      slow: { champion: 0, challenger: 1 },
      byUser: { users: 1, errors: 1, fallbacks: 1, slow: 1 },
    });
  });

  it('tell of the two alone what came twice, who is busy and who is silent, and of the release when nothing was served', () => {
    const counts = tally({ startedAtMs: 0, quietAfterMs: 80 });
    const busy = Array.from({ length: 5 }, (_, index) =>
      slate({ requestId: `b${index}`, unit: 'u:b', atMs: 100 + index, variant: 'challenger', enrolment: rival }),
    );
    counts.add([
      slate({ requestId: 'a', unit: 'u:a', variant: 'challenger', enrolment: own }),
      slate({ requestId: 'c', unit: 'u:c', enrolment: champions }),
      ...busy,
      ...busy,
    ]);
    const bs = bought('e', 110, { userId: 'b' });
    counts.addEvents([bs, bs, bs, bought('f', 20, { userId: 'c', kind: 'view' })]);
    const [first, second] = [1, 2].map((challenger) => counts.summarize({ nowMs: 150, challenger }).signs);
    expect(first).toMatchObject({
      duplicates: { slates: 0, events: 0 },
      busiest: { challenger: { slates: 1, events: 0 } },
      heard: { champion: 1, challenger: 0 },
    });
    expect(second).toMatchObject({
      duplicates: { slates: 5, events: 2 },
      busiest: { challenger: { slates: 5, events: 1 } },
      heard: { champion: 1, challenger: 1 },
    });
    expect(first?.quietMs).toBe(90);
    expect(second?.quietMs).toBe(90);
  });
});
