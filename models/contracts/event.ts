import { z } from 'zod';
import { epochMs, externalId, surfaceName } from './ids.ts';

/** What a person did with an item. A `return` undoes a purchase and is never a reward. */
export const eventKinds = ['impression', 'view', 'click', 'skip', 'dwell', 'add-to-cart', 'purchase', 'return', 'rating'] as const;
export type EventKind = (typeof eventKinds)[number];

const quantity = z.number().int().min(1).max(1_000_000).describe('Units bought or returned');
const unitPriceMinor = z.number().int().min(0).max(1_000_000_000).describe('Price of one unit in minor units (pence): integers sum the same in any order');
const dwellMs = z.number().int().min(0).max(86_400_000);
const rating = z.number().min(0).max(5);

/** What every event has. `eventId` makes it idempotent. */
export const commonFields = {
  eventId: externalId.describe('Chosen by the sender; the same id again is the same event'),
  surface: surfaceName,
  atMs: epochMs.describe('When it happened, epoch milliseconds'),
};
const interactionFields = {
  ...commonFields,
  userId: externalId.optional(),
  sessionId: externalId,
  itemId: externalId,
  requestId: externalId.optional().describe('The slate that caused it'),
  position: z.number().int().min(0).max(999).optional().describe('Zero-based place in that slate'),
};

/** Version 1: one schema for all kinds, where each may carry any member. An event that names no version is of this one. */
export const eventV1 = z.strictObject({
  schemaVersion: z.literal(1).default(1),
  kind: z.enum(eventKinds),
  ...interactionFields,
  quantity: quantity.optional(),
  unitPriceMinor: unitPriceMinor.optional(),
  dwellMs: dwellMs.optional(),
  rating: rating.optional(),
});

function interaction<Kind extends EventKind, Own extends z.ZodRawShape>(kind: Kind, own: Own) {
  return z.strictObject({
    schemaVersion: z.literal(2),
    kind: z.literal(kind),
    ...interactionFields,
    deviceId: externalId.optional().describe('The browser or phone, where it keeps an id across sessions'),
    ...own,
  });
}

const sale = { quantity: quantity.optional(), unitPriceMinor: unitPriceMinor.optional() };

/** Version 2: a schema a kind, which has what tells something of that kind, and a device. */
export const eventsV2 = [
  interaction('impression', {}),
  interaction('view', {}),
  interaction('click', {}),
  interaction('skip', {}),
  interaction('dwell', { dwellMs }),
  interaction('add-to-cart', sale),
  interaction('purchase', sale),
  interaction('return', sale),
  interaction('rating', { rating }),
] as const;

/** An interaction of any version, read alike: what a version does not know is absent. */
export type Event = Omit<z.output<typeof eventV1>, 'schemaVersion'> & { schemaVersion: 1 | 2; deviceId?: string | undefined };

/** What the slate log calls a user: the user where known, the session otherwise. One unit of randomization, one unit of every test. */
export function unitOf(who: { userId?: string | undefined; sessionId: string }): string {
  return who.userId === undefined ? `s:${who.sessionId}` : `u:${who.userId}`;
}
