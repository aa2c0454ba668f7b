import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CatalogItem } from '../models/contracts/catalog-item.ts';
import { parseCharter } from '../models/contracts/charter.ts';
import { recommendRequest, recommendResponse, slateRecord } from '../models/contracts/slate.ts';
import { createRandom } from '../models/random.ts';
import { itemWords } from '../models/slate/item-words.ts';
import { scopeOf } from '../models/slate/scope.ts';
import { createEnrolments } from './enrolments.ts';
import { rungsBelowModel } from './fallback/chain.ts';
import { createPopularityCounts } from './fallback/popularity.ts';
import { createCoVisits } from './fallback/session.ts';
import type { ModelHost } from './models/model-host.ts';
import { type ModelAnswer, noAnswer } from './models/model-messages.ts';
import { createProfileStore } from './profiles.ts';
import { recommend } from './recommend.ts';
import type { Snapshot } from './snapshot.ts';
import { testCharter } from './testing.ts';

const ids = Array.from({ length: 15 }, (_, index) => `i${index}`);
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const [champion, challenger] = [digest('a'), digest('b')];

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
      const scope = scopeOf({ scope: charter.scope, items: catalog, vocabulary: [] });
      const model = (name: string) => ({ digest: name, vocabulary: ids, indexOf: new Map(ids.map((id, index) => [id, index])), maxHistory: 50 });
      const host: ModelHost = {
        pool: () => undefined,
        ask: async ({ artifact }) => (artifact === champion ? given.own : given.other),
        askExtra: ({ artifact }) => {
          const answer = Promise.resolve(artifact === champion ? given.own : given.other);
          return { soon: answer, whole: answer };
        },
        readyThreads: () => 1,
        crash: () => undefined,
        retain: () => undefined,
        release: () => undefined,
        closed: Promise.resolve(),
      };
      const canary =
        given.mode === 'none'
          ? null
          : ({ releaseId: 'r1', artifact: challenger, mode: given.mode as 'shadow' | 'canary', stage: 0, cap: 1, share: 0.5, salt: 'x' } as const);
      const snapshot: Snapshot = {
        spec: {
          kind: 'deployment',
          surface: 'home',
          generation: 1,
          replaces: 0,
          operationId: 'o',
          champion,
          championRelease: 'r0',
          previousChampion: null,
          canary,
          challenger: canary === null ? null : challenger,
          charter: digest('c'),
          catalog: digest('d'),
          fencedReleases: [],
          paused: false,
          author: { kind: 'bootstrap', name: 'test', reason: '' },
          createdAtMs: 0,
        },
        charter,
        scope,
        inCatalog: () => true,
        words: given.weight > 0 ? itemWords(catalog) : null,
        rulesDigest: digest('e'),
        models: new Map(given.hosted ? [champion, challenger].map((name) => [name, model(name)]) : []),
        host: given.hosted ? host : null,
      };
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
      const legal = ids.filter((id) => scope.allowed(id) && !given.exclude.includes(id) && !given.bought.includes(id));
      expect(new Set(shown).size).toBe(shown.length);
      expect(shown.filter((id) => !legal.includes(id))).toEqual([]);
      expect(shown.length).toBeLessThanOrEqual(given.count);
      expect(shown.length).toBe(Math.min(given.count, legal.length));
      if (shown.length < given.count) expect(response.reason).toEqual(expect.any(String));
      expect(record.items).toEqual(shown);
      expect(record.propensities?.every((propensity) => propensity > 0 && propensity <= 1)).toBe(true);
      if (given.mode === 'shadow') expect(record).toMatchObject({ variant: 'champion', enrolment: null, shadow: { artifact: challenger } });
    }),
    { numRuns: 300 },
  );
});
