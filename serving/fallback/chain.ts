import type { Rung } from '../../models/contracts/slate.ts';
import { type PopularityCounts, popularityRung } from './popularity.ts';
import type { FallbackRung, RungRequest } from './rung.ts';
import { type CoVisits, sessionRung } from './session.ts';
import { staticRung } from './static.ts';

/** Every rung below the model, in order: here a new one is registered. */
export function rungsBelowModel({ coVisits, popularity }: { coVisits: CoVisits; popularity: PopularityCounts }): readonly FallbackRung[] {
  return [sessionRung(coVisits), popularityRung(popularity), staticRung];
}

export type ChainAnswer = {
  /** Whose items come first. */
  rung: Rung;
  /** In scope, not excluded, no item twice; at most `depth`. */
  items: string[];
  /** Each on its own rung's scale. */
  scores: number[];
  /** Why the rungs above this one did not answer, which ones filled the slate up, or why it is short. */
  reason?: string;
};

/**
 * Asks one rung after the other until the slate is full. Whatever a rung answers, what may not be shown is taken out here; a rung that throws is passed
 * over. It never throws: at worst the slate is short or empty, with the reason.
 */
export async function runChain({ rungs, request, size }: { rungs: readonly FallbackRung[]; request: RungRequest; size: number }): Promise<ChainAnswer> {
  const reasons: string[] = [];
  const items: string[] = [];
  const scores: number[] = [];
  const taken = new Set<string>();
  let first: Rung | undefined;
  for (const rung of rungs) {
    const before = items.length;
    const why = await askRung(rung, request, (itemId, score) => {
      if (items.length >= request.depth || taken.has(itemId)) return;
      taken.add(itemId);
      items.push(itemId);
      scores.push(score);
    });
    const added = items.length - before;
    if (added === 0) reasons.push(`${rung.name}: ${why}`);
    else if (first !== undefined) reasons.push(`filled up from ${rung.name}`);
    if (added > 0) first ??= rung.name;
    if (items.length >= size) break;
    if (added > 0) reasons.push(`${rung.name}: only ${added} of ${size} items could be shown`);
  }
  if (items.length < size && items.length > 0) reasons.push(`only ${items.length} of ${size} items could be shown`);
  return { rung: first ?? rungs.at(-1)?.name ?? 'static', items, scores, ...(reasons.length > 0 ? { reason: reasons.join('; ') } : {}) };
}

/** @returns why nothing was taken of its answer. */
async function askRung(rung: FallbackRung, request: RungRequest, take: (itemId: string, score: number) => void): Promise<string> {
  try {
    const answer = await rung.rank(request);
    for (const [place, itemId] of answer.items.entries())
      if (!request.excluded.has(itemId) && request.scope.allowed(itemId)) take(itemId, answer.scores[place] ?? 0);
    return answer.why ?? 'nothing more that may be shown';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
