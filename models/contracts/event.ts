import { z } from 'zod';
import { epochMs, externalId, surfaceName } from './ids.ts';

/** What a person did (or what happened to the catalog). A `return` undoes a purchase and is never a reward. */
export const eventKinds = ['impression', 'view', 'click', 'skip', 'dwell', 'add-to-cart', 'purchase', 'return', 'rating'] as const;
export type EventKind = (typeof eventKinds)[number];

/** Version 1 of an event, as posted to `POST /v1/events` and as stored in slices. `eventId` makes it idempotent. */
export const event = z.strictObject({
  schemaVersion: z.literal(1).default(1),
  eventId: externalId,
  kind: z.enum(eventKinds),
  surface: surfaceName,
  userId: externalId.optional(),
  sessionId: externalId,
  itemId: externalId,
  /** When it happened, epoch milliseconds. */
  atMs: epochMs,
  /** The slate that caused it, and the zero-based position in it. */
  requestId: externalId.optional(),
  position: z.number().int().min(0).max(999).optional(),
  /** Units bought or returned. */
  quantity: z.number().int().min(1).max(1_000_000).optional(),
  /** Price of one unit in minor units (pence): integers sum the same in any order. */
  unitPriceMinor: z.number().int().min(0).max(1_000_000_000).optional(),
  dwellMs: z.number().int().min(0).max(86_400_000).optional(),
  rating: z.number().min(0).max(5).optional(),
});
export type Event = z.infer<typeof event>;

/** What the slate log calls a user: the user where known, the session otherwise. One unit of randomization, one unit of every test. */
export function unitOf(who: { userId?: string | undefined; sessionId: string }): string {
  return who.userId === undefined ? `s:${who.sessionId}` : `u:${who.userId}`;
}
