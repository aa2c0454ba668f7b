import type { FlagChange, ItemMark, StandingMark } from './flag.ts';

/** Source → item → what stands of what it said. */
export type FlagBook = ReadonlyMap<string, ReadonlyMap<string, StandingMark>>;
export type OpenFlagBook = Map<string, Map<string, StandingMark>>;

type Change = Pick<FlagChange, 'source' | 'mode' | 'asOfMs' | 'generation'>;

/** Takes one change in. What comes late does not undo what its source said of an item later; what it found holds beside it, for clocks differ. */
export function takeMarks(book: OpenFlagBook, change: Change, marks: readonly ItemMark[]): void {
  const { source, mode } = change;
  const own = book.get(source) ?? new Map<string, StandingMark>();
  book.set(source, own);
  for (const mark of marks) {
    const before = own.get(mark.itemId);
    const after = mode === 'clear' ? cleared(before, mark) : mode === 'add' ? added(before, mark, change) : replaced(before, mark, change);
    if (after === undefined) own.delete(mark.itemId);
    else own.set(mark.itemId, after);
  }
  if (own.size === 0) book.delete(source);
}

function said({
  scores,
  flags,
  expiresAtMs: untilMs = null,
}: {
  scores: ItemMark['scores'];
  flags: ItemMark['flags'];
  expiresAtMs?: number | null | undefined;
}) {
  return {
    scores: Object.fromEntries(Object.entries(scores).map(([kind, score]) => [kind, [score, untilMs] as [number, number | null]])),
    flags: Object.fromEntries(flags.map((flag) => [flag, untilMs])),
  };
}

function replaced(before: StandingMark | undefined, mark: ItemMark, { asOfMs, generation: change }: Change): StandingMark {
  if (before !== undefined && before.asOfMs > asOfMs) {
    const late = said(mark);
    const scores = Object.entries(late.scores).filter(([kind, [score]]) => !(Object.hasOwn(before.scores, kind) && (before.scores[kind]?.[0] ?? 0) >= score));
    return { ...before, flags: { ...late.flags, ...before.flags }, scores: { ...before.scores, ...Object.fromEntries(scores) } };
  }
  return { change, asOfMs, untilMs: mark.expiresAtMs ?? null, ...said(mark) };
}

function added(before: StandingMark | undefined, mark: ItemMark, { asOfMs, generation: change }: Change): StandingMark {
  if (before === undefined) return { change, asOfMs, untilMs: null, ...said(mark) };
  const more = said(mark);
  return {
    change,
    asOfMs: Math.max(before.asOfMs, asOfMs),
    untilMs: before.untilMs,
    scores: { ...before.scores, ...more.scores },
    flags: { ...before.flags, ...more.flags },
  };
}

/** Of a mark that loses the last it said nothing stays: not that the source found nothing. */
function cleared(before: StandingMark | undefined, mark: ItemMark): StandingMark | undefined {
  const kinds = Object.keys(mark.scores);
  if (before === undefined || (mark.flags.length === 0 && kinds.length === 0)) return undefined;
  const scores = Object.fromEntries(Object.entries(before.scores).filter(([kind]) => !kinds.includes(kind)));
  const flags = Object.fromEntries(Object.entries(before.flags).filter(([flag]) => !mark.flags.includes(flag)));
  return Object.keys(scores).length + Object.keys(flags).length === 0 ? undefined : { ...before, scores, flags };
}
