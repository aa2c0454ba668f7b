import { UnderstudyError } from '../../models/contracts/problem.ts';
import { createRandom } from '../../models/random.ts';
import type { Truth } from './truth.ts';

/** A customer of the data: what was bought before, oldest first, and what was bought later. */
export type Customer = { customerId: string; history: string[]; wants: { itemId: string; repeat: boolean }[] };

/** `directness` in [0, 1): a repeat want below the truth's `organicRepeat` is bought without the slate. Drawn once, so that showing it twice does not help. */
export type Want = { itemId: string; repeat: boolean; directness: number };

/** Somebody who shops, made after a real customer. What is bought from a slate moves from `wants` to `history`. */
export type Persona = { userId: string; sessionId: string; history: string[]; wants: Want[] };

type Input = { customers: readonly Customer[]; count: number; seed: number; prefix: string };

/**
 * `count` personas, each made after a customer drawn with replacement. The ids say nothing of the customer. Same seed, same personas.
 * @param prefix of the ids, printable: `<prefix>-<number>`.
 * @throws UND-NO-DATA without customers.
 */
export function makePersonas({ customers, count, seed, prefix }: Input): Persona[] {
  if (customers.length === 0) throw new UnderstudyError('UND-NO-DATA', 'There is no customer to make shoppers after');
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, number) => {
    const customer = customers[random.below(customers.length)] as Customer;
    const wants = customer.wants.map((want) => ({ ...want, directness: random.float() }));
    return { userId: `${prefix}-${number}`, sessionId: `${prefix}-${number}-s`, history: [...customer.history], wants };
  });
}

/** Wanted and open to a slate: not one of those that are bought directly anyway. */
export function wantedFromSlate({ persona, itemId, truth }: { persona: Persona; itemId: string; truth: Truth }): boolean {
  return persona.wants.some((want) => want.itemId === itemId && !(want.repeat && want.directness < truth.organicRepeat));
}
