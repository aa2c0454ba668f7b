import { z } from 'zod';
import { positiveMs } from './charter-release.ts';
import { eventKinds } from './event.ts';
import { epochMs, externalId } from './ids.ts';

const noBoundaries = { midnight: false, kinds: [], clientSession: false };

/** Where one unit's events are cut into sessions. The client's own `sessionId` is what the client says; these rules are what the rest works with. */
export const sessionRules = z.strictObject({
  /** More than this between two events ends a session; exactly this does not. */
  gapMs: positiveMs.default(30 * 60_000),
  /** An event more than this after a session's first one begins another; exactly this does not. */
  maxMs: positiveMs.default(4 * 3_600_000),
  boundaries: z
    .strictObject({
      /** An event on another calendar day, in the surface's time zone, than the event before it begins a session. */
      midnight: z.boolean().default(false),
      /** After an event of such a kind, what is done at a later time begins another session. */
      kinds: z.array(z.enum(eventKinds)).default([]),
      /** An event with another `sessionId` than the event before it begins a session. */
      clientSession: z.boolean().default(false),
    })
    .default(noBoundaries),
});
export type SessionRules = z.infer<typeof sessionRules>;

/** A derived session: a maximal run of one unit's events, in the order of time and event id, that the rules do not cut. */
export const session = z.strictObject({
  /** `u:<user>` or `s:<session>`, as `unitOf` writes it. */
  unit: z.string(),
  /** 24 hex digits, of its unit and its first event: the same events give the same id in any order of arrival. */
  id: z.string().regex(/^[0-9a-f]{24}$/),
  /** Time of the first event, and of the last. */
  fromMs: epochMs,
  toMs: epochMs,
  events: z.number().int().min(1),
  /** No event that would still be taken can change it. */
  closed: z.boolean(),
});
export type Session = z.infer<typeof session>;

/** What sessions are made of. Events of a unit are told apart by time and event id. */
export const sessionEvent = z.strictObject({ unit: z.string(), eventId: externalId, kind: z.enum(eventKinds), sessionId: externalId, atMs: epochMs });
export type SessionEvent = z.infer<typeof sessionEvent>;

/** Why a session begins: `first`, nothing came before it; else the first reason that holds, in this order. */
export const sessionCuts = ['first', 'gap', 'kind', 'client-session', 'midnight', 'maximum'] as const;
export type SessionCut = (typeof sessionCuts)[number];
