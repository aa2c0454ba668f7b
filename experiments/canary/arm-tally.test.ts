import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../models/contracts/event.ts';
import { slateRecord } from '../../models/contracts/slate.ts';
import { createRandom } from '../../models/random.ts';
import { makePersonas } from '../simulator/personas.ts';
import { createShopperSession } from '../simulator/shopper-session.ts';
import { defaultTruth } from '../simulator/truth.ts';
import { createArmTally } from './arm-tally.ts';
import { decideCanary, type CanaryInput } from './decide-canary.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { bought, slate } from './testing-log.ts';

const reward = { weights: { purchase: 1, click: 0.1 }, attributionMs: 100, capPerUnit: 1 };
const tally = () => createArmTally({ releaseId: 'r', reward, maxP99Ms: 50 });

describe('the tally', () => {
  it('counts each user once, by the first enrolment, and the reward within the attribution time of it', () => {
    const counts = tally();
    const enrolment = { share: 0.5, bucket: 0.2, atMs: 0, generation: 3 };
    counts.add([
      slate({ requestId: 'q1', unit: 'u:1', atMs: 0, variant: 'challenger', enrolment }),
      slate({ requestId: 'q2', unit: 'u:1', atMs: 90, stage: 1, variant: 'challenger', enrolment }),
      slate({ requestId: 'q3', unit: 'u:2', atMs: 50 }),
      slate({ requestId: 'q4', unit: 'u:3', atMs: 190 }),
    ]);
    counts.addEvents([bought('e1', 120), bought('e2', 60, { userId: '2', kind: 'click' }), bought('e3', 200, { userId: '3' })]);
    const found = counts.summarize({ nowMs: 201 });
    // The purchase at 120 belongs to the slate at 90, but the outcome of user 1 was settled at 100.
    expect(found.challenger).toMatchObject({ enrolled: 1, ripe: 1, converted: 0, rewardSum: 0, slates: 2 });
    expect(found.champion).toMatchObject({ enrolled: 2, ripe: 1, converted: 1, rewardSum: 0.1, slates: 2 });
    expect(found.ripeByStage).toEqual([1]);
    expect(found.strata).toEqual([
      { generation: 3, share: 0.5, block: 0, champion: { enrolled: 2, ripe: [[0.1, 1]] }, challenger: { enrolled: 1, ripe: [[0, 1]] } },
    ]);
    expect(counts.summarize({ nowMs: 291 }).champion).toMatchObject({ ripe: 2, rewardSum: 1.1 });
  });

  it('leaves out other releases, the shadow stage, what is not enrolled, and what comes twice', () => {
    const counts = tally();
    const one = slate({ requestId: 'q1' });
    counts.add([
      one,
      one,
      slate({ requestId: 'q2', releaseId: 'x' }),
      slate({ requestId: 'q3', releaseId: null, stage: null, enrolment: null }),
      slate({ requestId: 'q4', stage: -1 }),
      slate({ requestId: 'q5', enrolment: null }),
    ]);
    expect(counts.summarize({ nowMs: 10 })).toMatchObject({
      champion: { enrolled: 1, slates: 1, ripe: 0 },
      challenger: { enrolled: 0, slates: 0 },
      ripeByStage: [],
    });
  });

  it('counts fallbacks, empty slates, slow slates and the 99th percentile by the variant that answered', () => {
    const counts = tally();
    counts.add(
      Array.from({ length: 200 }, (_, index) =>
        slate({
          requestId: `c${index}`,
          variant: 'challenger',
          latencyMs: index < 190 ? 5 : 80,
          rung: index < 3 ? 'popularity' : 'model',
          items: index === 0 ? [] : ['a'],
        }),
      ),
    );
    const { challenger, champion, slow } = counts.summarize({ nowMs: 1 });
    expect(challenger).toMatchObject({ slates: 200, fallbacks: 3, errors: 1 });
    expect(challenger.latencyP99Ms).toBeGreaterThanOrEqual(80);
    expect(challenger.latencyP99Ms).toBeLessThan(82);
    expect(slow).toEqual({ champion: 0, challenger: 10 });
    expect(champion.latencyP99Ms).toBe(0);
  });

  it('gives the same summary in whatever order and pieces the log arrives', () => {
    const anySlate = fc.record({
      unit: fc.integer({ min: 1, max: 6 }),
      atMs: fc.integer({ min: 0, max: 300 }),
      generation: fc.integer({ min: 3, max: 5 }),
      items: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }),
    });
    const anyEvent = fc.record({
      unit: fc.integer({ min: 1, max: 6 }),
      atMs: fc.integer({ min: 0, max: 400 }),
      itemId: fc.constantFrom('a', 'b', 'c'),
      kind: fc.constantFrom<Event['kind']>('purchase', 'click'),
    });
    fc.assert(
      fc.property(
        fc.array(anySlate, { maxLength: 25 }),
        fc.array(anyEvent, { maxLength: 25 }),
        fc.nat(),
        fc.integer({ min: 0, max: 500 }),
        (slates, events, seed, nowMs) => {
          const records = slates.map(({ unit, atMs, generation, items }, index) =>
            slate({
              requestId: `q${index}`,
              unit: `u:${unit}`,
              atMs,
              items,
              stage: generation - 3,
              generation,
              enrolment: { share: generation / 10, bucket: unit / 10, atMs, generation },
            }),
          );
          const all = events.map(({ unit, ...rest }, index) => bought(`e${index}`, rest.atMs, { ...rest, userId: String(unit) }));
          const whole = tally();
          whole.add(records);
          whole.addEvents(all);
          const pieces = tally();
          const random = createRandom(seed);
          const arrivals = [...records.map((one) => () => pieces.add([one])), ...all.map((one) => () => pieces.addEvents([one]))];
          while (arrivals.length > 0) {
            arrivals.splice(random.below(arrivals.length), 1)[0]?.();
            if (random.below(4) === 0) pieces.summarize({ nowMs: random.below(500) });
          }
          const found = pieces.summarize({ nowMs });
          expect(found).toEqual(whole.summarize({ nowMs }));
          for (const variant of ['champion', 'challenger'] as const) {
            const strata = found.strata.map((one) => one[variant]);
            expect(strata.reduce((sum, one) => sum + one.enrolled, 0)).toBe(found[variant].enrolled);
            expect(strata.flatMap((one) => one.ripe).reduce((sum, [value, units]) => sum + value * units, 0)).toBeCloseTo(found[variant].rewardSum, 9);
          }
        },
      ),
    );
  });

  it('cuts strata where the share moves and where there are a quarter more users', () => {
    const counts = tally();
    counts.add(
      Array.from({ length: 300 }, (_, index) => {
        const generation = index < 100 ? 3 : 4;
        return slate({
          requestId: `q${index}`,
          unit: `u:${index}`,
          atMs: index,
          generation,
          enrolment: { share: generation / 10, bucket: 0.9, atMs: index, generation },
        });
      }),
    );
    expect(counts.summarize({ nowMs: 1 }).strata.map((one) => [one.generation, one.champion.enrolled])).toEqual([
      [3, 64],
      [3, 16],
      [3, 20],
      [4, 25],
      [4, 32],
      [4, 40],
      [4, 50],
      [4, 53],
    ]);
  });

  it('makes records that the contract knows', () => {
    expect(slateRecord.parse(slate({ requestId: 'q' }))).toMatchObject({ requestId: 'q' });
    const histogram = new LatencyHistogram();
    for (let ms = 1; ms <= 1000; ms += 1) histogram.add(ms);
    expect(histogram.quantile(0.99) / 990).toBeCloseTo(1, 1);
  });
});

/** Shoppers, slates, events, tally and decisions together; only the wire is missing. */
function runCanary({ seed, intent, challengerHits, maxUsers }: { seed: number; intent: CanaryInput['intent']; challengerHits: number; maxUsers: number }) {
  const random = createRandom(seed);
  const customers = Array.from({ length: 200 }, (_, index) => ({ customerId: `c${index}`, history: [], wants: [{ itemId: `w${index}`, repeat: false }] }));
  const personas = makePersonas({ customers, count: maxUsers, seed, prefix: 'p' });
  const charter: CanaryInput['charter'] = {
    reward: { weights: { purchase: 1 }, attributionMs: 1_000, capPerUnit: 1 },
    release: {
      canary: {
        shadowSlates: 0,
        ladder: [0.1, 0.25, 0.5],
        minUnits: [20, 50, 100],
        lookEveryMs: 1_000,
        maxDurationMs: maxUsers,
        alpha: 0.05,
        inconclusive: 'roll-back',
        refreshMargin: 0.5,
        maxErrorShare: 0.01,
        maxFallbackShare: 0.05,
        maxP99Ms: 250,
      },
    },
  };
  const counts = createArmTally({ releaseId: 'r', reward: charter.reward, maxP99Ms: 250 });
  const serve = (user: number, share: number, generation: number, stage: number): void => {
    const persona = personas[user];
    if (persona === undefined) return;
    const bucket = random.float();
    const variant = bucket < share ? 'challenger' : 'champion';
    // Both recommenders find the wanted item for some shoppers and set it first.
    const hit = random.float() < (variant === 'challenger' ? challengerHits : 0.4);
    const items = [hit ? (persona.wants[0]?.itemId ?? 'x') : 'x', 'y', 'z'];
    const session = createShopperSession({ persona, truth: defaultTruth, random, maxSlates: 1 });
    const asked = session.next();
    if (asked === null) return;
    const atMs = user * 10;
    counts.add([
      slate({ requestId: `q${user}`, unit: `u:${asked.userId}`, atMs, items, variant, generation, stage, enrolment: { share, bucket, atMs, generation } }),
    ]);
    counts.addEvents(session.take({ requestId: `q${user}`, surface: 'home', slate: items, atMs }));
  };
  let decision = decideCanary({ charter, intent, releaseId: 'r', look: 0, stage: 0, share: 0, elapsedMs: 0, arms: counts.summarize({ nowMs: 0 }) });
  let stage = 0;
  let generation = 3;
  let users = 0;
  let share = 0;
  for (let look = 1; ; look += 1) {
    if (decision.action === 'promote' || decision.action === 'roll-back') return { decision, users };
    stage = decision.action === 'advance' ? decision.stage + 1 : decision.stage;
    if (decision.share !== share || decision.action === 'advance') generation += 1;
    share = decision.share;
    for (const until = users + 200; users < until; users += 1) serve(users, share, generation, stage);
    decision = decideCanary({
      charter,
      intent,
      releaseId: 'r',
      look,
      stage,
      share,
      elapsedMs: users + 1,
      arms: counts.summarize({ nowMs: users * 10 + 2_000 }),
    });
  }
}

describe('canaries in the simulator', () => {
  it.each([
    ['twenty A/A as replace', 'replace', 0.4, { promoted: [0, 1], worse: [0, 1] }],
    ['twenty A/A as refresh', 'refresh', 0.4, { promoted: [18, 20], worse: [0, 1] }],
    ['twenty with a worse challenger as replace', 'replace', 0.2, { promoted: [0, 0], worse: [19, 20] }],
    ['twenty with a worse challenger as refresh', 'refresh', 0.2, { promoted: [0, 0], worse: [19, 20] }],
  ] as const)('%s', (name, intent, challengerHits, expected) => {
    const runs = Array.from({ length: 20 }, (_, seed) => runCanary({ seed, intent, challengerHits, maxUsers: 4_000 }));
    const promoted = runs.filter((run) => run.decision.action === 'promote').length;
    const worse = runs.filter((run) => run.decision.verdict === 'worse').length;
    console.log(
      `${name}: ${promoted} promoted, ${worse} rolled back as worse, ${20 - promoted - worse} rolled back without evidence; ${Math.round(runs.reduce((sum, run) => sum + run.users, 0) / 20)} users on average`,
    );
    expect(promoted).toBeGreaterThanOrEqual(expected.promoted[0]);
    expect(promoted).toBeLessThanOrEqual(expected.promoted[1]);
    expect(worse).toBeGreaterThanOrEqual(expected.worse[0]);
    expect(worse).toBeLessThanOrEqual(expected.worse[1]);
  });
});
