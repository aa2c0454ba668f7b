import type { StandingMark } from '../contracts/flag.ts';
import { type GuardrailRules, type Maturity, maturities } from '../contracts/guardrail.ts';
import type { FlagBook } from '../contracts/flag-book.ts';
import type { Scope } from './scope.ts';

/** What is known of who a slate is for. */
export type Audience = { country?: string | undefined; maturity?: Maturity | undefined };

/** The charter's rules as they hold for somebody; the key tells apart those for whom they differ. */
export type RulesInForce = {
  key: string;
  required: readonly { name: string; staleAfterMs: number }[];
  thresholds: readonly { kind: string; atLeast: number }[];
  /** Flags that do not hold for them; all others do. */
  waived: ReadonlySet<string>;
};

const nothing: GuardrailRules = { sources: [], thresholds: [], flags: [] };
type Rule = Pick<GuardrailRules['thresholds'][number], 'regions' | 'below'>;

/** Who does not say where they are may be anywhere, and who does not say how old they are may be a child. */
function holdsFor({ regions, below }: Rule, { country, maturity = maturities[0] }: Audience): boolean {
  const isThere = regions === undefined || country === undefined || regions.some((region) => region.toLowerCase() === country.toLowerCase());
  return isThere && (below === undefined || maturities.indexOf(maturity) < maturities.indexOf(below));
}

export function rulesFor(rules: GuardrailRules | undefined, audience: Audience): RulesInForce {
  const { sources, thresholds, flags } = rules ?? nothing;
  const [ofScores, ofFlags] = [thresholds.map((rule) => holdsFor(rule, audience)), flags.map((rule) => holdsFor(rule, audience))];
  const holding = new Set(flags.flatMap(({ flag }, place) => (ofFlags[place] ? [flag] : [])));
  return {
    key: [...ofScores, ...ofFlags].map(Number).join(''),
    required: sources.flatMap(({ name, required, staleAfterMinutes }) => (required ? [{ name, staleAfterMs: staleAfterMinutes * 60_000 }] : [])),
    thresholds: thresholds.filter((_, place) => ofScores[place]),
    waived: new Set(flags.flatMap(({ flag }) => (holding.has(flag) ? [] : [flag]))),
  };
}

const isOver = (untilMs: number | null, nowMs: number): boolean => untilMs !== null && untilMs <= nowMs;

/** Judgements end on a grid, never too late: where each was made at a time of its own, what may be shown would change with every request. */
const gridMs = 10_000;
const onGrid = (atMs: number): number => Math.floor(atMs / gridMs) * gridMs;

/** When a source's judgement of an item ends: it has expired, or it is older than the charter lets it be. */
function judgedUntil({ asOfMs, untilMs }: StandingMark, staleAfterMs: number): number {
  return onGrid(Math.min(asOfMs + staleAfterMs, untilMs ?? Number.POSITIVE_INFINITY));
}

/** Why an item may not be shown: the flag or the kind of score that holds, or the source that has not judged it; null where it may. */
export function objectionTo({ itemId, book, rules, nowMs }: { itemId: string; book: FlagBook; rules: RulesInForce; nowMs: number }): string | null {
  for (const marks of book.values()) {
    const mark = marks.get(itemId);
    const why = mark === undefined ? null : wordAgainst(mark, rules, nowMs);
    if (why !== null) return why;
  }
  for (const { name, staleAfterMs } of rules.required) {
    const mark = book.get(name)?.get(itemId);
    if (mark === undefined || judgedUntil(mark, staleAfterMs) <= nowMs) return `not judged by ${name}`;
  }
  return null;
}

function wordAgainst({ untilMs, flags, scores }: StandingMark, { waived, thresholds }: RulesInForce, nowMs: number): string | null {
  if (isOver(untilMs, nowMs)) return null;
  // Not by Object.entries: nearly all marks are empty, and there may be one for each item.
  for (const flag in flags) if (!waived.has(flag) && !isOver(flags[flag] as number | null, nowMs)) return `flag ${flag}`;
  for (const { kind, atLeast } of thresholds) {
    const score = Object.hasOwn(scores, kind) ? scores[kind] : undefined;
    if (score !== undefined && score[0] >= atLeast && !isOver(score[1], nowMs)) return `score ${kind}`;
  }
  return null;
}

export type Guarded = {
  /** The scope without what is held back: the one that retrieval, every rung, exploration and the last look at a slate go by. */
  scope: Scope;
  /** Items in scope that are held back, and the sources of the charter that have judged none of them lately. */
  heldBack: number;
  silent: readonly string[];
  /** Until then it stays so, unless somebody says something. */
  untilMs: number;
};

/** Narrows a scope to what may be shown under these rules at this time. */
export function guardScope({ scope, book, rules, nowMs }: { scope: Scope; book: FlagBook; rules: RulesInForce; nowMs: number }): Guarded {
  const held = new Set<string>();
  let untilMs = Number.POSITIVE_INFINITY;
  const changesAt = (atMs: number | null): void => {
    if (atMs !== null && atMs > nowMs && atMs < untilMs) untilMs = atMs;
  };
  for (const marks of book.values())
    for (const [itemId, mark] of marks) {
      if (wordAgainst(mark, rules, nowMs) === null || !scope.allowed(itemId)) continue;
      held.add(itemId);
      // Whichever of its words ends first, it is looked at again then.
      for (const atMs of [mark.untilMs, ...Object.values(mark.flags), ...Object.values(mark.scores).map(([, end]) => end)]) changesAt(atMs);
    }
  const silent: string[] = [];
  for (const { name, staleAfterMs } of rules.required) {
    const marks = book.get(name);
    let judged = 0;
    for (const itemId of scope.allowedIds) {
      const mark = marks?.get(itemId);
      const end = mark === undefined ? 0 : judgedUntil(mark, staleAfterMs);
      if (end > nowMs) judged += 1;
      else held.add(itemId);
      changesAt(end);
    }
    if (judged === 0) silent.push(name);
  }
  if (held.size === 0) return { scope, heldBack: 0, silent, untilMs };
  const allowedIds = scope.allowedIds.filter((itemId) => !held.has(itemId));
  const narrowed: Scope = { ...scope, allowed: (itemId) => !held.has(itemId) && scope.allowed(itemId), allowedIds };
  return { scope: narrowed, heldBack: held.size, silent, untilMs };
}

/** Nobody knows what was said of the items: none is shown. */
export function closedScope(scope: Scope): Guarded {
  return { scope: { ...scope, allowed: () => false, allowedIds: [] }, heldBack: scope.allowedIds.length, silent: [], untilMs: Number.POSITIVE_INFINITY };
}
