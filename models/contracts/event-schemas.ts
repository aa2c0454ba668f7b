import { z } from 'zod';
import { type ChangeEvent, type ChangeKind, changeKinds, changeSchemas } from './change-event.ts';
import { type Event, type EventKind, eventKinds, eventsV2, eventV1 } from './event.ts';
import { epochMs } from './ids.ts';

/** Anything that `POST /v1/events` takes. */
export type AnyEvent = Event | ChangeEvent;
/** As the event log holds it. */
export type Logged<One extends AnyEvent = AnyEvent> = One & {
  /** When it came in; lines from before this was noted lack it. */
  receivedAtMs?: number | undefined;
  /** The record rule for which the replica that took it put it aside: no live count may have it. The pipeline judges anew. */
  quarantined?: string | undefined;
};

type Published = { name: EventKind | ChangeKind; version: number; title: string; schema: z.ZodType };

const titles: Record<EventKind | ChangeKind, string> = {
  impression: 'A part of a slate was seen',
  view: 'An item was looked at',
  click: 'An item of a slate was clicked',
  skip: 'An item of a slate was passed over',
  dwell: 'How long somebody stayed with an item',
  'add-to-cart': 'An item went into the basket',
  purchase: 'An item was bought',
  return: 'A bought item was sent back',
  rating: 'An item was rated, 0 to 5',
  catalog: 'What is said of an item changed',
  profile: 'What is known of a user changed',
  consent: 'What a person allows changed',
  login: 'A session turned out to be a user’s',
};

const v1 = Object.fromEntries(eventKinds.map((kind) => [kind, eventV1.extend({ kind: z.literal(kind) })])) as unknown as Record<EventKind, typeof eventV1>;
const v2 = Object.fromEntries(eventKinds.map((kind, place) => [kind, eventsV2[place]])) as Record<EventKind, (typeof eventsV2)[number]>;

/** Every version of every event: what is listed here stays readable for ever. */
export const publishedSchemas: readonly Published[] = [
  ...eventKinds.flatMap((kind): Published[] => [
    { name: kind, version: 1, title: titles[kind], schema: v1[kind] },
    { name: kind, version: 2, title: titles[kind], schema: v2[kind] },
  ]),
  ...changeKinds.map((kind): Published => ({ name: kind, version: 1, title: titles[kind], schema: changeSchemas[kind] })),
];

/** For documents; `parseEvent` says better what is wrong. */
export const anyEvent: z.ZodType = z.union([eventV1, ...eventsV2, ...Object.values(changeSchemas)]);

const schemaOf = new Map(publishedSchemas.map(({ name, version, schema }) => [`${name} ${version}`, schema]));
const versionsOf = (kind: string): number[] => publishedSchemas.filter(({ name }) => name === kind).map(({ version }) => version);
const kinds: readonly string[] = [...eventKinds, ...changeKinds];

/** A published schema as JSON Schema 2020-12. @returns undefined where there is none of this name and version. */
export function jsonSchemaOf({ name, version }: { name: string; version: number }): Record<string, unknown> | undefined {
  const found = publishedSchemas.find((one) => one.name === name && one.version === version);
  if (found === undefined) return undefined;
  const { $schema, ...schema } = z.toJSONSchema(found.schema, { io: 'input' });
  return { $schema, $id: `/v1/schemas/${name}/${version}`, title: found.title, ...schema };
}

type Issues = z.core.$ZodIssue[];
export type ParsedEvent = { success: true; event: AnyEvent } | { success: false; issues: Issues };

/** Checks an event that comes in by the schema of its kind and version; where it names no version, 1. */
export function parseEvent(input: unknown): ParsedEvent {
  const { kind, schemaVersion = 1 } = (typeof input === 'object' && input !== null ? input : {}) as { kind?: unknown; schemaVersion?: unknown };
  const schema = schemaOf.get(`${String(kind)} ${String(schemaVersion)}`) ?? strangerOf(kind);
  const parsed = schema.safeParse(input);
  return parsed.success ? { success: true, event: parsed.data as AnyEvent } : { success: false, issues: parsed.error.issues };
}

/** What says why an event without a schema is none: of a kind, or of a version, that does not exist, or no object. */
function strangerOf(kind: unknown): z.ZodType {
  const known = typeof kind === 'string' && kinds.includes(kind);
  return z.looseObject(
    known
      ? { schemaVersion: z.literal(versionsOf(kind), `${kind} has the versions ${versionsOf(kind).join(' and ')}`) }
      : { kind: z.enum([...kinds] as [string, ...string[]]) },
  );
}

const envelope = z.object({ receivedAtMs: epochMs.optional(), quarantined: z.string().optional() }).catch({});

/** Reads a record of the event log, of whatever version. @returns undefined for what is no event. */
export function parseLogged(record: unknown): Logged | undefined {
  if (typeof record !== 'object' || record === null) return undefined;
  const { receivedAtMs: _received, quarantined: _quarantined, ...rest } = record as Record<string, unknown>;
  const parsed = parseEvent(rest);
  return parsed.success ? { ...parsed.event, ...envelope.parse(record) } : undefined;
}

export function isInteraction<One extends AnyEvent>(event: One): event is Extract<One, Event> {
  return (eventKinds as readonly string[]).includes(event.kind);
}

/** An interaction of the event log, of whatever version. @returns undefined for what is none, and for what was put aside. */
export function parseInteraction(record: unknown): Logged<Event> | undefined {
  const event = parseLogged(record);
  return event !== undefined && isInteraction(event) && event.quarantined === undefined ? event : undefined;
}
