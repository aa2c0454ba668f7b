import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CatalogItem } from '../models/contracts/catalog-item.ts';
import { parseCharter } from '../models/contracts/charter.ts';
import { recommendRequest, recommendResponse, slateRecord } from '../models/contracts/slate.ts';
import { createRandom } from '../models/random.ts';
import { createEnrolments } from './enrolments.ts';
import { rungsBelowModel } from './fallback/chain.ts';
import { createPopularityCounts } from './fallback/popularity.ts';
import { createCoVisits } from './fallback/session.ts';
import type { ModelHost } from './models/model-host.ts';
import { type ModelAnswer, noAnswer } from './models/model-messages.ts';
import { createProfileStore } from './profiles.ts';
import { recommend } from './recommend.ts';
import { canaryOf, snapshotOf, specOf, testCharter, unguarded } from './testing.ts';

const ids = Array.from({ length: 15 }, (_, index) => `i${index}`);
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const [champion, challenger, ...rivals] = [digest('a'), digest('b'), digest('c'), digest('d')] as const;

/** What a model may come to answer: anything, also what it was told not to, or nothing. */
const anyAnswer: fc.Arbitrary<ModelAnswer> = fc.oneof(
  fc.array(fc.nat(ids.length - 1), { maxLength: 15 }).map((items) => ({ items, scores: items.map((_, place) => -place), latencyMs: 1, error: null })),
  fc.constant(noAnswer('out of order')),
);
const anyCase = fc.record({
  soldOut: fc.subarray(ids),
  exclude: fc.subarray(ids),
  bought: fc.subarray(ids, { maxLength: 3 }),
  count: fc.integer({ min: 1, max: 20 }),
  slots: fc.integer({ min: 0, max: 3 }),
  floor: fc.constantFrom(0, 0.02, 1),
  weight: fc.constantFrom(0, 0.4, 1),
  own: anyAnswer,
  other: anyAnswer,
  mode: fc.constantFrom('none', 'shadow', 'canary'),
  rivals: fc.nat(2),
  hosted: fc.boolean(),
  events: fc.array(fc.constantFrom(...ids, 'gone'), { maxLength: 20 }),
  seed: fc.nat(),
});

it('never shows an item out of scope, excluded, bought or twice, whatever the models answer and whichever rung does', async () => {
  await fc.assert(
    fc.asyncProperty(anyCase, async (given) => {
      const charter = parseCharter({
        ...testCharter,
        repeatPolicy: 'exclude-purchased',
        exploration: { slots: given.slots, poolDepth: 12, floor: given.floor },
        slate: { diversity: { weight: given.weight, depth: 12 } },
      });
      const catalog: CatalogItem[] = ids.map((itemId) => ({ itemId, title: itemId, inStock: !given.soldOut.includes(itemId) }));
      const host: ModelHost = {
        pool: () => undefined,
        ask: async ({ artifact }) => (artifact === champion ? given.own : given.other),
        askExtra: ({ artifact }) => {
          const answer = Promise.resolve(artifact === champion ? given.own : given.other);
          return { soon: answer, whole: answer };
        },
        readyThreads: () => 1,
        isTooSlow: () => false,
        crash: () => undefined,
        retain: () => undefined,
        release: () => undefined,
        closed: Promise.resolve(),
      };
      const artifacts = [challenger, ...rivals.slice(0, given.rivals)];
      const spread = given.rivals === 0 ? {} : { rivals: artifacts.slice(1).map((artifact) => ({ artifact, share: 0.5 / given.rivals })) };
      const canary = given.mode === 'none' ? null : canaryOf(challenger, { mode: given.mode as 'shadow' | 'canary', ...spread });
      const registered = canary === null ? {} : { challenger, ...(given.rivals === 0 ? {} : { rivals: artifacts.slice(1) }) };
      const spec = specOf({ champion, canary, ...registered });
      const snapshot = snapshotOf({ spec, charter, catalog, artifacts: [champion, ...artifacts], host: given.hosted ? host : null });
      const [popularity, coVisits, profiles] = [
        createPopularityCounts(),
        createCoVisits({ maxItems: 100 }),
        createProfileStore({ charter: () => charter, maxUnits: 10 }),
      ];
      given.events.forEach((itemId, place) => {
        popularity.add(itemId, 1);
        coVisits.add({ previous: given.events.slice(0, place), itemId });
      });
      for (const itemId of given.bought)
        profiles.accept({ schemaVersion: 1, eventId: itemId, kind: 'purchase', surface: 'home', userId: 'ann', sessionId: 's', itemId, atMs: 1 });

      const { response, record: written } = await recommend({
        request: recommendRequest.parse({ surface: 'home', userId: 'ann', count: given.count, exclude: given.exclude }),
        snapshot,
        profiles,
        enrolments: createEnrolments(),
        ...unguarded,
        rungs: rungsBelowModel({ coVisits, popularity }),
        requestId: 'q1',
        replica: 'r1',
        nowMs: 1,
        random: createRandom(given.seed),
      });
      const record = await written;
      recommendResponse.parse(response);
      slateRecord.parse(record);
      const shown = response.items.map(({ itemId }) => itemId);
      const legal = ids.filter((id) => snapshot.scope.allowed(id) && !given.exclude.includes(id) && !given.bought.includes(id));
      expect(new Set(shown).size).toBe(shown.length);
      expect(shown.filter((id) => !legal.includes(id))).toEqual([]);
      expect(shown.length).toBeLessThanOrEqual(given.count);
      expect(shown.length).toBe(Math.min(given.count, legal.length));
      if (shown.length < given.count) expect(response.reason).toEqual(expect.any(String));
      expect(record.items).toEqual(shown);
      expect(record.propensities?.every((propensity) => propensity > 0 && propensity <= 1)).toBe(true);
      if (given.mode === 'shadow') expect(record).toMatchObject({ variant: 'champion', enrolment: null, shadow: { artifact: expect.toBeOneOf(artifacts) } });
    }),
    { numRuns: 300 },
  );
});
