import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ItemMark } from '../contracts/flag.ts';
import { type GuardrailRules, guardrailRules, maturities } from '../contracts/guardrail.ts';
import { type OpenFlagBook, takeMarks } from '../contracts/flag-book.ts';
import { type Audience, guardScope, objectionTo, rulesFor } from './guardrails.ts';
import type { Scope } from './scope.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const ids = ['a', 'b', 'c', 'd', 'e'];
const scope: Scope = { allowed: (itemId) => ids.includes(itemId), allowedIds: ids, bias: new Float32Array(), digest: '' };
const mark = (itemId: string, over: Partial<ItemMark> = {}): ItemMark => ({ itemId, scores: {}, flags: [], ...over });
const minute = 60_000;

/** The ids that are shown to somebody at a time. */
function shown(book: OpenFlagBook, rules: Partial<GuardrailRules>, audience: Audience = {}, nowMs = 0): string {
  return guardScope({ scope, book, rules: rulesFor(guardrailRules.parse(rules), audience), nowMs }).scope.allowedIds.join('');
}

describe('guardrails', () => {
  it('a policy flag holds for everybody, whatever the charter says or does not say, until it is taken back or has expired', () => {
    const book: OpenFlagBook = new Map();
    takeMarks(book, { source: 'by-hand', mode: 'add', asOfMs: 0, generation: 1 }, [
      mark('b', { flags: ['recall'] }),
      mark('d', { flags: ['court-order'], expiresAtMs: 500 }),
    ]);
    expect(shown(book, {}, {}, 499)).toBe('ace');
    expect(shown(book, {}, {}, 500)).toBe('acde');
    takeMarks(book, { source: 'by-hand', mode: 'add', asOfMs: 1, generation: 1 }, [mark('b', { flags: ['dispute'] })]);
    takeMarks(book, { source: 'by-hand', mode: 'clear', asOfMs: 2, generation: 1 }, [mark('b', { flags: ['recall'] })]);
    expect(shown(book, {})).toBe('ace');
    takeMarks(book, { source: 'by-hand', mode: 'clear', asOfMs: 3, generation: 1 }, [mark('b', { flags: ['dispute'] }), mark('d')]);
    expect(shown(book, {})).toBe('abcde');
    expect(book.size).toBe(0);
  });

  it('thresholds and flags hold where and for whom the charter says, and for who does not say', () => {
    const book: OpenFlagBook = new Map();
    takeMarks(book, { source: 'classifier', mode: 'replace', asOfMs: 0, generation: 1 }, [
      mark('a', { scores: { violence: 0.7 } }),
      mark('b', { scores: { violence: 0.69 } }),
      mark('c', { flags: ['alcohol'] }),
    ]);
    const rules: Partial<GuardrailRules> = {
      thresholds: [{ kind: 'violence', atLeast: 0.7, below: 'adult' }],
      flags: [
        { flag: 'alcohol', regions: ['SA', 'KW'] },
        { flag: 'alcohol', below: 'teen' },
      ],
    };
    expect(shown(book, rules, { country: 'DE', maturity: 'adult' })).toBe('abcde');
    expect(shown(book, rules, { country: 'DE', maturity: 'teen' })).toBe('bcde');
    expect(shown(book, rules, { country: 'DE', maturity: 'child' })).toBe('bde');
    expect(shown(book, rules, { country: 'sa', maturity: 'adult' })).toBe('abde');
    expect(shown(book, rules, { maturity: 'adult' })).toBe('abde');
    expect(shown(book, rules, { country: 'DE' })).toBe('bde');
    expect(shown(book, rules)).toBe('bde');
  });

  it('where a source is required, only what it has judged lately is shown, and nothing once it has been silent for too long', () => {
    const rules: Partial<GuardrailRules> = {
      sources: [{ name: 'classifier', staleAfterMinutes: 10, required: true }],
      thresholds: [{ kind: 'hate', atLeast: 0.5 }],
    };
    const book: OpenFlagBook = new Map();
    expect(shown(book, rules)).toBe('');
    takeMarks(book, { source: 'classifier', mode: 'replace', asOfMs: 0, generation: 1 }, [mark('a'), mark('b', { scores: { hate: 0.9 } }), mark('c')]);
    takeMarks(book, { source: 'classifier', mode: 'replace', asOfMs: 5 * minute, generation: 1 }, [mark('c', { expiresAtMs: 12 * minute })]);
    expect(shown(book, rules, {}, 10 * minute - 1)).toBe('ac');
    expect(shown(book, rules, {}, 10 * minute)).toBe('c');
    expect(shown(book, rules, {}, 12 * minute)).toBe('');
    // What was found in an item stays found.
    expect(objectionTo({ itemId: 'b', book, rules: rulesFor(guardrailRules.parse(rules), {}), nowMs: 1e12 })).toBe('score hate');
    const { heldBack, silent } = guardScope({ scope, book, rules: rulesFor(guardrailRules.parse(rules), {}), nowMs: 20 * minute });
    expect([heldBack, silent]).toEqual([5, ['classifier']]);
    // A word that comes late does not undo a later one.
    takeMarks(book, { source: 'classifier', mode: 'replace', asOfMs: 20 * minute, generation: 1 }, [mark('a', { flags: ['spam'] })]);
    takeMarks(book, { source: 'classifier', mode: 'replace', asOfMs: 19 * minute, generation: 1 }, [mark('a')]);
    expect(shown(book, rules, {}, 20 * minute)).toBe('');
    // Nor is one lost that found something: the clocks of two machines of a source differ.
    takeMarks(book, { source: 'classifier', mode: 'replace', asOfMs: 20 * minute, generation: 1 }, [mark('c', { scores: { hate: 0.1 } })]);
    expect(shown(book, rules, {}, 20 * minute)).toBe('c');
    takeMarks(book, { source: 'classifier', mode: 'replace', asOfMs: 19 * minute, generation: 1 }, [mark('c', { scores: { hate: 0.8 } })]);
    expect(shown(book, rules, {}, 20 * minute)).toBe('');
  });

  it('a narrowed scope is the predicate, item by item, and stays so until it says', () => {
    const untilMs = fc.option(fc.integer({ min: 1, max: 60 * minute }), { nil: undefined });
    const anyMark = fc.record({
      itemId: fc.constantFrom(...ids, 'unknown'),
      scores: fc.dictionary(fc.constantFrom('violence', 'hate', 'constructor'), fc.double({ min: 0, max: 1, noNaN: true })),
      flags: fc.subarray(['alcohol', 'recall']),
      expiresAtMs: untilMs,
    });
    const anyChange = fc.record({
      source: fc.constantFrom('by-hand', 'classifier', 'team'),
      mode: fc.constantFrom('replace' as const, 'add' as const, 'clear' as const),
      asOfMs: fc.integer({ min: 0, max: 30 * minute }),
      marks: fc.array(anyMark, { maxLength: 5 }),
    });
    const audience = fc.record({ country: fc.constantFrom(undefined, 'DE', 'SA'), maturity: fc.constantFrom(undefined, ...maturities) });
    const whom = { regions: fc.constantFrom(undefined, ['SA']), below: fc.constantFrom(undefined, 'teen' as const, 'adult' as const) };
    const anyRules = fc.record({
      sources: fc.subarray([
        { name: 'classifier', staleAfterMinutes: 10, required: true },
        { name: 'team', staleAfterMinutes: 30, required: true },
      ]),
      thresholds: fc.array(fc.record({ kind: fc.constantFrom('violence', 'constructor'), atLeast: fc.constantFrom(0.3, 0.8), ...whom }), { maxLength: 3 }),
      flags: fc.array(fc.record({ flag: fc.constant('alcohol'), ...whom }), { maxLength: 2 }),
    });
    fc.assert(
      fc.property(
        fc.array(anyChange, { maxLength: 8 }),
        anyRules,
        audience,
        fc.integer({ min: 0, max: 60 * minute }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (changes, said, whose, nowMs, part) => {
          const book: OpenFlagBook = new Map();
          for (const { marks, ...change } of changes) takeMarks(book, { ...change, generation: 1 }, marks as ItemMark[]);
          const rules = rulesFor(said as GuardrailRules, whose);
          const guarded = guardScope({ scope, book, rules, nowMs });
          const later = Math.floor(nowMs + part * (Math.min(guarded.untilMs, nowMs + 60 * minute) - nowMs));
          for (const atMs of [nowMs, Math.max(nowMs, later - 1)])
            for (const itemId of [...ids, 'unknown'])
              expect(guarded.scope.allowed(itemId)).toBe(scope.allowed(itemId) && objectionTo({ itemId, book, rules, nowMs: atMs }) === null);
          expect(guarded.scope.allowedIds).toEqual(ids.filter(guarded.scope.allowed));
          expect(guarded.heldBack).toBe(ids.length - guarded.scope.allowedIds.length);
        },
      ),
      { seed, numRuns: 500 },
    );
  });
});
