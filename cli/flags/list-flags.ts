import type { State } from '../../activities/context.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { FlagChange, StandingMark } from '../../models/contracts/flag.ts';
import { byHand } from '../../models/contracts/guardrail.ts';
import { objectionTo, rulesFor } from '../../models/slate/guardrails.ts';
import { openFlagReader, readFlagChange } from '../../stores/flags.ts';
import { table } from '../output.ts';

type Listed = {
  surface: string;
  generation: number;
  sources: { source: string; required: boolean; items: number; newestAsOfMs: number | null; isStale: boolean }[];
  /** What somebody may not see. `why` is what holds against it for those of whom nothing is known. */
  marks: (StandingMark & { itemId: string; source: string; why: string | null; by: string; because: string; atMs: number })[];
};

/** @param input.itemId all that was said of this one; without it, whatever holds against any item for those of whom nothing is known */
export async function listFlags(state: State, input: { charter: Charter; itemId: string | undefined; nowMs: number }): Promise<Listed> {
  const { charter, itemId: only, nowMs } = input;
  const { surface, guardrails } = charter;
  const reader = openFlagReader({ ...state, surface });
  await reader.look();
  const book = reader.book();
  const rules = { ...rulesFor(guardrails, {}), required: [] };
  const named = guardrails?.sources ?? [];
  const sources = [...new Set([...named.map(({ name }) => name), ...book.keys()])].map((source) => {
    const own = named.find(({ name }) => name === source);
    const asOf = [...(book.get(source)?.values() ?? [])].reduce<number | null>((newest, { asOfMs }) => Math.max(newest ?? 0, asOfMs), null);
    const isStale = own !== undefined && (asOf === null || asOf + own.staleAfterMinutes * 60_000 <= nowMs);
    return { source, required: own?.required ?? false, items: book.get(source)?.size ?? 0, newestAsOfMs: asOf, isStale };
  });
  const changes = new Map<number, FlagChange>();
  const marks: Listed['marks'] = [];
  for (const [source, own] of book) {
    for (const [itemId, mark] of own) {
      if (only !== undefined && itemId !== only) continue;
      const why = objectionTo({ itemId, book: new Map([[source, new Map([[itemId, mark]])]]), rules, nowMs });
      if (only === undefined && why === null) continue;
      const change = changes.get(mark.change) ?? (await readFlagChange(state.generations, surface, mark.change));
      changes.set(mark.change, change);
      marks.push({ ...mark, itemId, source, why, by: change.by, because: change.why, atMs: change.atMs });
    }
  }
  return { surface, generation: reader.generation(), sources, marks };
}

const timeOf = (atMs: number | null): string => (atMs === null ? '' : new Date(atMs).toISOString().slice(0, 19).concat('Z'));

export function describeFlags({ sources, marks }: Listed): string {
  const held = marks.map((mark) => [
    ...[mark.itemId, mark.source, mark.why ?? 'nothing against it'],
    ...[timeOf(endOf(mark)) || 'open', mark.by, timeOf(mark.atMs), mark.because],
  ]);
  const parts = [
    held.length === 0 ? 'Nothing is held back by what anybody said.' : table(['item', 'source', 'holds against it', 'until', 'by', 'at', 'why'], held),
    table(
      ['source', 'required', 'items', 'newest as of', ''],
      sources.map(({ source, required, items, newestAsOfMs, isStale }) => [
        ...[source, required ? 'yes' : 'no', String(items), timeOf(newestAsOfMs) || 'never'],
        isStale ? `STALE${required ? ': what it has not judged lately is not shown' : ''}` : '',
      ]),
    ),
  ];
  return sources.length === 0 ? `Nobody has said anything. Flags set by hand are of the source ${byHand}.` : parts.join('\n\n');
}

/** The first end of anything that it says. */
function endOf({ untilMs, flags, scores }: StandingMark): number | null {
  const ends = [untilMs, ...Object.values(flags), ...Object.values(scores).map(([, end]) => end)].filter((end) => end !== null);
  return ends.length === 0 ? null : Math.min(...ends);
}
