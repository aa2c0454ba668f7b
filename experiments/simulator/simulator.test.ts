import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEvent } from '../../models/contracts/event-schemas.ts';
import { createRandom } from '../../models/random.ts';
import { type Customer, makePersonas, type Persona } from './personas.ts';
import { respond, trueConversion, trueValue } from './respond.ts';
import { createShopperSession } from './shopper-session.ts';
import { defaultTruth, purchaseProbability } from './truth.ts';

const truth = defaultTruth;
const customers: Customer[] = [
  {
    customerId: 'c1',
    history: ['h1', 'w3'],
    wants: [
      { itemId: 'w1', repeat: false },
      { itemId: 'w2', repeat: false },
      { itemId: 'w3', repeat: true },
    ],
  },
  { customerId: 'c2', history: [], wants: [{ itemId: 'w4', repeat: false }] },
];
const persona = (over: Partial<Persona> = {}): Persona => ({
  userId: 'p-0',
  sessionId: 'p-0-s',
  history: ['h1'],
  wants: [{ itemId: 'w1', repeat: false, directness: 0 }],
  ...over,
});
const slate = ['w1', ...Array.from({ length: 9 }, (_, index) => `u${index}`)];
const show = (one: Persona, seed: number, items: readonly string[] = slate, requestId = 'r1') =>
  respond({ persona: one, slate: items, requestId, surface: 'home', atMs: 1_000, truth, random: createRandom(seed) });
const many = (draws: number, items: readonly string[] = slate, make = persona) => Array.from({ length: draws }, (_, seed) => show(make(), seed, items)).flat();

describe('personas', () => {
  it('are the same for the same seed, drawn with replacement, and say nothing of the customer', () => {
    const made = makePersonas({ customers, count: 200, seed: 3, prefix: 'a' });
    expect(makePersonas({ customers, count: 200, seed: 3, prefix: 'a' })).toEqual(made);
    expect(new Set(made.map((one) => one.userId)).size).toBe(200);
    const fromFirst = made.filter((one) => one.wants.length === 3).length;
    expect(fromFirst).toBeGreaterThan(70);
    expect(fromFirst).toBeLessThan(130);
    expect(JSON.stringify(made)).not.toMatch(/"c[12]"/);
    expect(() => makePersonas({ customers: [], count: 1, seed: 1, prefix: 'a' })).toThrow(expect.objectContaining({ code: 'UND-NO-DATA' }));
  });
});

describe('the answer to a slate', () => {
  it('is made of valid events, in order, each id once, the same when sent again', () => {
    const anyPersona = fc.record({ wanted: fc.uniqueArray(fc.constantFrom(...slate), { maxLength: 10 }), seed: fc.nat() });
    fc.assert(
      fc.property(anyPersona, ({ wanted, seed }) => {
        const make = () => persona({ wants: wanted.map((itemId) => ({ itemId, repeat: false, directness: 0 })) });
        const one = make();
        const events = show(one, seed);
        for (const each of events) expect(parseEvent(each)).toEqual({ success: true, event: each });
        expect(new Set(events.map((each) => each.eventId)).size).toBe(events.length);
        expect(events.map((each) => each.atMs)).toEqual(events.map((_, index) => 1_000 + index));
        expect(show(make(), seed)).toEqual(events);
        const bought = events.filter((each) => each.kind === 'purchase').map((each) => each.itemId);
        expect(one.wants.filter((want) => bought.includes(want.itemId))).toEqual([]);
        expect(one.history).toEqual(['h1', ...bought]);
        // Nothing without an impression; either a skip or a click; no purchase without a cart.
        for (const each of events) {
          const kinds = events.filter((other) => other.itemId === each.itemId).map((other) => other.kind);
          expect([
            ['impression', 'skip'],
            ['impression', 'click', 'dwell'],
            ['impression', 'click', 'dwell', 'add-to-cart'],
            ['impression', 'click', 'dwell', 'add-to-cart', 'purchase'],
          ]).toContainEqual(kinds);
        }
      }),
    );
  });

  it('examines by position and clicks by relevance', () => {
    const events = many(4_000);
    truth.examination.forEach((probability, position) => {
      const seen = events.filter((each) => each.kind === 'impression' && each.position === position).length / 4_000;
      expect(Math.abs(seen - probability)).toBeLessThan(4 * Math.sqrt((probability * (1 - probability)) / 4_000));
    });
    const clicks = (position: number) => events.filter((each) => each.kind === 'click' && each.position === position).length / 4_000;
    expect(clicks(0)).toBeCloseTo(0.9 * truth.wanted.click, 1);
    expect(clicks(1)).toBeCloseTo(0.8 * truth.unwanted.click, 1);
  });

  it('earns what the truth says, for wanted, unwanted and directly bought items', () => {
    const repeats = (directness: number) => () => persona({ history: ['w1'], wants: [{ itemId: 'w1', repeat: true, directness }] });
    for (const make of [persona, repeats(0.1), repeats(0.95), () => persona({ wants: [] })]) {
      const draws = 4_000;
      const bought = many(draws, slate, make).filter((each) => each.kind === 'purchase').length / draws;
      const value = trueValue({ persona: make(), slate, truth });
      expect(Math.abs(bought - value)).toBeLessThan(4 * Math.sqrt(value / draws));
    }
    expect(trueValue({ persona: repeats(0.1)(), slate, truth })).toBeLessThan(0.02);
    expect(trueValue({ persona: repeats(0.95)(), slate, truth })).toBeGreaterThan(0.5);
    expect(purchaseProbability(truth.wanted)).toBeCloseTo(0.612);
    expect(purchaseProbability(truth.unwanted)).toBeCloseTo(0.0021);
    const converted = trueConversion({ persona: persona(), slate, truth });
    expect(converted).toBeLessThan(trueValue({ persona: persona(), slate, truth }));
  });

  it('is worse for a slate of repeats than for a slate of new wants, though both are foretold right', () => {
    const wants = [...'abc'].map((itemId) => ({ itemId, repeat: true })).concat([...'xyz'].map((itemId) => ({ itemId, repeat: false })));
    const made = makePersonas({ customers: [{ customerId: 'c', history: ['a', 'b', 'c'], wants }], count: 300, seed: 8, prefix: 'p' });
    const values = made.map((one) => ({
      repeats: trueValue({ persona: one, slate: [...'abc'], truth }),
      fresh: trueValue({ persona: one, slate: [...'xyz'], truth }),
    }));
    const mean = (pick: (one: (typeof values)[number]) => number) => values.reduce((sum, one) => sum + pick(one), 0) / values.length;
    expect(mean((one) => one.repeats) / mean((one) => one.fresh)).toBeCloseTo(1 - truth.organicRepeat, 1);
  });
});

describe('a visit', () => {
  it('asks with the history so far, ends after its slates or when nothing is wanted any more', () => {
    const one = persona();
    const session = createShopperSession({
      persona: one,
      truth: { ...truth, examination: [1], wanted: { click: 1, cart: 1, purchase: 1 } },
      random: createRandom(1),
      maxSlates: 3,
    });
    expect(session.next()).toEqual({ userId: 'p-0', sessionId: 'p-0-s', history: ['h1'] });
    expect(session.take({ requestId: 'r', surface: 'home', slate: ['w1'], atMs: 5 }).at(-1)).toMatchObject({ kind: 'purchase', itemId: 'w1' });
    expect(session.next()).toBeNull();
    expect(one.history).toEqual(['h1', 'w1']);
    const long = createShopperSession({ persona: persona(), truth, random: createRandom(1), maxSlates: 1, maxHistory: 1 });
    expect(long.take({ requestId: 'r', surface: 'home', slate: [], atMs: 5 })).toEqual([]);
    expect(long.next()).toBeNull();
  });
});
