import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CatalogItem } from '../models/contracts/catalog-item.ts';
import { parseCharter } from '../models/contracts/charter.ts';
import type { ItemMark } from '../models/contracts/flag.ts';
import { maturities } from '../models/contracts/guardrail.ts';
import { recommendRequest, rungs, slateRecord } from '../models/contracts/slate.ts';
import { createRandom } from '../models/random.ts';
import { type OpenFlagBook, takeMarks } from '../models/contracts/flag-book.ts';
import { guardScope, objectionTo, rulesFor } from '../models/slate/guardrails.ts';
import { createEnrolments } from './enrolments.ts';
import { rungsBelowModel } from './fallback/chain.ts';
import { createPopularityCounts } from './fallback/popularity.ts';
import { createCoVisits } from './fallback/session.ts';
import type { ModelHost } from './models/model-host.ts';
import { noAnswer } from './models/model-messages.ts';
import { createProfileStore } from './profiles.ts';
import { recommend, type RecommendInput } from './recommend.ts';
import { canaryOf, snapshotOf, specOf, testCharter, unguarded } from './testing.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const ids = Array.from({ length: 12 }, (_, index) => `i${index}`);
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const [champion, challenger] = [digest('a'), digest('b')];
const minute = 60_000;

const whom = { regions: fc.constantFrom(undefined, ['SA']), below: fc.constantFrom(undefined, 'teen' as const, 'adult' as const) };
const anyMark = fc.record({
  itemId: fc.constantFrom(...ids),
  scores: fc.dictionary(fc.constantFrom('violence', 'hate'), fc.double({ min: 0, max: 1, noNaN: true })),
  flags: fc.subarray(['alcohol', 'recall']),
  expiresAtMs: fc.option(fc.integer({ min: 1, max: 60 * minute }), { nil: undefined }),
});
const anyChange = fc.record({
  source: fc.constantFrom('by-hand', 'classifier'),
  mode: fc.constantFrom('replace' as const, 'add' as const),
  asOfMs: fc.integer({ min: 0, max: 30 * minute }),
  generation: fc.constant(1),
  marks: fc.array(anyMark, { maxLength: 14 }) as fc.Arbitrary<ItemMark[]>,
});
const anyCase = fc.record({
  changes: fc.array(anyChange, { maxLength: 4 }),
  /** Said while the model is asked. */
  meanwhile: fc.option(anyChange, { nil: undefined }),
  isRequired: fc.boolean(),
  thresholds: fc.array(fc.record({ kind: fc.constantFrom('violence', 'hate'), atLeast: fc.constantFrom(0.3, 0.8), ...whom }), { maxLength: 2 }),
  flags: fc.array(fc.record({ flag: fc.constant('alcohol'), ...whom }), { maxLength: 2 }),
  country: fc.constantFrom(undefined, 'DE', 'SA'),
  maturity: fc.constantFrom(undefined, ...maturities),
  nowMs: fc.integer({ min: 0, max: 60 * minute }),
  count: fc.integer({ min: 1, max: 14 }),
  slots: fc.integer({ min: 0, max: 2 }),
  floor: fc.constantFrom(0, 0.5, 1),
  /** The first rung that has anything to say. */
  from: fc.constantFrom(...rungs),
  answer: fc.uniqueArray(fc.nat(ids.length - 1)),
  events: fc.array(fc.constantFrom(...ids), { maxLength: 20 }),
  fairness: fc.constantFrom(undefined, 'fa-ir' as const, 'exposure' as const),
  seed: fc.nat(),
});

const group = { name: 'few', by: 'items' as const, values: ids.slice(0, 6) };
const fairnessOf = {
  'fa-ir': { method: 'fa-ir' as const, group, share: 0.5, depth: 15 },
  exposure: { method: 'exposure' as const, groups: [{ ...group, minShare: 0.6 }], strength: 1, depth: 15 },
};

it('never shows what is flagged, to whomever it holds for, whichever rung answers, nor what a silent source was to judge', async () => {
  await fc.assert(
    fc.asyncProperty(anyCase, async (given) => {
      const charter = parseCharter({
        ...testCharter,
        exploration: { slots: given.slots, poolDepth: 12, floor: given.floor },
        ...(given.fairness === undefined ? {} : { fairness: fairnessOf[given.fairness] }),
        guardrails: {
          sources: given.isRequired ? [{ name: 'classifier', staleAfterMinutes: 20 }] : [],
          thresholds: given.thresholds,
          flags: given.flags,
        },
      });
      const book: OpenFlagBook = new Map();
      for (const { marks, ...change } of given.changes) takeMarks(book, change, marks);
      const rules = rulesFor(charter.guardrails, given);
      const guard: RecommendInput['guard'] = {
        of: ({ scope, audience, nowMs }) => guardScope({ scope, book, rules: rulesFor(charter.guardrails, audience), nowMs }),
        generation: () => given.changes.length,
      };
      // It answers what it likes, also what the mask says it must not.
      const answer = async () => {
        if (given.meanwhile !== undefined) takeMarks(book, given.meanwhile, given.meanwhile.marks);
        return given.from === 'model'
          ? { items: given.answer, scores: given.answer.map((_, place) => -place), latencyMs: 1, error: null }
          : noAnswer('out of order');
      };
      const host: ModelHost = {
        ...{ pool: () => undefined, readyThreads: () => 1, crash: () => undefined, retain: () => undefined, release: () => undefined },
        ...{ closed: Promise.resolve(), ask: answer, isTooSlow: () => false },
        askExtra: () => ({ soon: answer(), whole: answer() }),
      };
      const catalog: CatalogItem[] = ids.map((itemId) => ({ itemId, title: itemId, inStock: true }));
      const spec = specOf({ champion, challenger, canary: canaryOf(challenger, { mode: 'shadow', share: 0 }) });
      const snapshot = snapshotOf({ spec, charter, catalog, artifacts: [champion, challenger], host });
      const [popularity, coVisits] = [createPopularityCounts(), createCoVisits({ maxItems: 100 })];
      given.events.forEach((itemId, place) => {
        popularity.add(itemId, 1);
        coVisits.add({ previous: given.events.slice(0, place), itemId });
      });
      const { country, maturity } = given;
      const history = given.from === 'session' ? given.events.map((itemId) => ({ itemId, kind: 'click' })) : [];
      const { response, record } = await recommend({
        request: recommendRequest.parse({ surface: 'home', userId: 'ann', count: given.count, context: { country, maturity, history } }),
        ...{ snapshot, guard, exposure: unguarded.exposure, enrolments: createEnrolments(), random: createRandom(given.seed) },
        profiles: createProfileStore({ charter: () => charter, maxUnits: 10 }),
        rungs: rungsBelowModel({ coVisits, popularity }).slice(given.from === 'model' ? 0 : rungs.indexOf(given.from) - 1),
        ...{ requestId: 'q1', replica: 'r1', nowMs: given.nowMs },
      });
      const shown = response.items.map(({ itemId }) => itemId);
      for (const itemId of shown) expect([itemId, objectionTo({ itemId, book, rules, nowMs: given.nowMs })]).toEqual([itemId, null]);
      const legal = ids.filter((itemId) => objectionTo({ itemId, book, rules, nowMs: given.nowMs }) === null);
      if (given.meanwhile === undefined) expect(shown.length).toBe(Math.min(given.count, legal.length));
      if (shown.length < given.count) expect(response.reason).toMatch(legal.length < ids.length ? /guardrails hold back \d+ items/ : /only \d+ of/);
      const written = slateRecord.parse(await record);
      expect(written.items).toEqual(shown);
      expect(written.propensities === null).toBe(written.propensityVoid !== undefined);
      if (given.meanwhile === undefined) expect(written.propensities).toHaveLength(shown.length);
    }),
    { numRuns: 400, seed },
  );
});
