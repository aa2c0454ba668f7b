import { digestBytes } from '../../models/contracts/digest.ts';
import type { Event, EventKind } from '../../models/contracts/event.ts';
import type { Random } from '../../models/random.ts';
import { type Persona, wantedFromSlate } from './personas.ts';
import { purchaseProbability, type Truth } from './truth.ts';

export type Shown = { requestId: string; surface: string; slate: readonly string[] /** When the slate was seen, epoch ms. */; atMs: number };

/**
 * What the persona does with a slate: an impression for each examined slot, then a skip, or a click with dwell and perhaps a cart and a
 * purchase, one millisecond apart from `atMs` on. An event's id follows from persona, request, item and kind, so that what is sent again is
 * the same event. What is bought is wanted no more and stands in the history: `persona` is changed.
 */
export function respond({ persona, slate, requestId, surface, atMs, truth, random }: Shown & { persona: Persona; truth: Truth; random: Random }): Event[] {
  const events: Event[] = [];
  const tell = (kind: EventKind, itemId: string, position: number, over: Partial<Event> = {}): void => {
    const eventId = digestBytes([persona.userId, requestId, itemId, kind].join('\0')).slice('sha256:'.length, 'sha256:'.length + 32);
    const { userId, sessionId } = persona;
    events.push({ schemaVersion: 1, eventId, kind, surface, userId, sessionId, itemId, atMs: atMs + events.length, requestId, position, ...over });
  };
  for (const [position, itemId] of slate.entries()) {
    if (random.float() >= (truth.examination[position] ?? 0)) continue;
    tell('impression', itemId, position);
    const wanted = wantedFromSlate({ persona, itemId, truth });
    const funnel = wanted ? truth.wanted : truth.unwanted;
    if (random.float() >= funnel.click) {
      tell('skip', itemId, position);
      continue;
    }
    tell('click', itemId, position);
    const meanMs = wanted ? truth.dwellMs.wanted : truth.dwellMs.unwanted;
    tell('dwell', itemId, position, { dwellMs: Math.min(3_600_000, Math.round(-meanMs * Math.log(1 - random.float()))) });
    if (random.float() >= funnel.cart) continue;
    tell('add-to-cart', itemId, position);
    if (random.float() >= funnel.purchase) continue;
    tell('purchase', itemId, position, { quantity: 1 });
    persona.wants = persona.wants.filter((want) => want.itemId !== itemId);
    persona.history.push(itemId);
  }
  return events;
}

/** Expected purchases from one slate: sum over slots of examination times the item's purchase probability. Exact, since slots are independent. */
export function trueValue({ persona, slate, truth }: { persona: Persona; slate: readonly string[]; truth: Truth }): number {
  return purchaseProbabilities({ persona, slate, truth }).reduce((sum, probability) => sum + probability, 0);
}

/** Probability of at least one purchase from one slate: what a reward of 1 a purchase, capped at 1, expects. */
export function trueConversion({ persona, slate, truth }: { persona: Persona; slate: readonly string[]; truth: Truth }): number {
  return 1 - purchaseProbabilities({ persona, slate, truth }).reduce((none, probability) => none * (1 - probability), 1);
}

function purchaseProbabilities({ persona, slate, truth }: { persona: Persona; slate: readonly string[]; truth: Truth }): number[] {
  return slate.map((itemId, position) => {
    const funnel = wantedFromSlate({ persona, itemId, truth }) ? truth.wanted : truth.unwanted;
    return (truth.examination[position] ?? 0) * purchaseProbability(funnel);
  });
}
