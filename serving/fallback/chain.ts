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
  rung: Rung;
  /** In scope, not excluded, no item twice; at most `depth`. */
  items: string[];
  scores: number[];
  /** Why the rungs above this one did not answer, or the slate is short. */
  reason?: string;
};

/**
 * Asks one rung after the other until one has at least an item to show. Whatever a rung answers, what may not be shown is taken out here; a rung that
 * throws is passed over. It never throws: at worst the slate is empty, with the reason.
 */
export async function runChain({ rungs, request, size }: { rungs: readonly FallbackRung[]; request: RungRequest; size: number }): Promise<ChainAnswer> {
  const reasons: string[] = [];
  let rung: Rung = 'static';
  for (const one of rungs) {
    rung = one.name;
    const answer = await askRung(one, request);
    if (answer.items.length > 0) {
      if (answer.items.length < size) reasons.push(`only ${answer.items.length} of ${size} items could be shown`);
      return { rung, items: answer.items, scores: answer.scores, ...(reasons.length > 0 ? { reason: reasons.join('; ') } : {}) };
    }
    reasons.push(`${one.name}: ${answer.why}`);
  }
  return { rung, items: [], scores: [], reason: reasons.join('; ') };
}

async function askRung(rung: FallbackRung, request: RungRequest): Promise<{ items: string[]; scores: number[]; why: string }> {
  const items: string[] = [];
  const scores: number[] = [];
  try {
    const answer = await rung.rank(request);
    const seen = new Set<string>();
    for (const [place, itemId] of answer.items.entries()) {
      if (items.length >= request.depth) break;
      if (seen.has(itemId) || request.excluded.has(itemId) || !request.scope.allowed(itemId)) continue;
      seen.add(itemId);
      items.push(itemId);
      scores.push(answer.scores[place] ?? 0);
    }
    return { items, scores, why: answer.why ?? 'nothing that may be shown' };
  } catch (error) {
    return { items: [], scores: [], why: error instanceof Error ? error.message : String(error) };
  }
}
