import type { Event } from '../../models/contracts/event.ts';
import type { Random } from '../../models/random.ts';
import type { Persona } from './personas.ts';
import { respond, type Shown } from './respond.ts';
import type { Truth } from './truth.ts';

export type ShopperRequest = { userId: string; sessionId: string; history: string[] };
export type ShopperSession = {
  /** What to ask for next; null when the visit is over: `maxSlates` were taken or nothing is wanted any more. */
  next(): ShopperRequest | null;
  /** The answer to what was asked, and what the shopper does with it. */
  take(shown: Shown): Event[];
};

type Input = { persona: Persona; truth: Truth; random: Random; maxSlates: number /** Newest items of the history that are sent. */; maxHistory?: number };

/** One visit of a persona, without any transport. */
export function createShopperSession({ persona, truth, random, maxSlates, maxHistory = 200 }: Input): ShopperSession {
  let taken = 0;
  return {
    next() {
      if (taken >= maxSlates || persona.wants.length === 0) return null;
      return { userId: persona.userId, sessionId: persona.sessionId, history: persona.history.slice(-maxHistory) };
    },
    take(shown) {
      taken += 1;
      return respond({ ...shown, persona, truth, random });
    },
  };
}
