import { z } from 'zod';
import { epochMs, surfaceName } from './ids.ts';
import { alertSignal } from './signal.ts';

/** An hour of the signal, as it was and as it was expected to be. */
export const alertPoint = z.strictObject({
  atMs: epochMs,
  value: z.number().nullable(),
  expected: z.number().nullable(),
  low: z.number().nullable(),
  high: z.number().nullable(),
});
export type AlertPoint = z.infer<typeof alertPoint>;

/**
 * A signal that is not as it was at such hours of such weekdays, for longer and by more than chance makes it. Series `alert/<surface>/<id>`: number 1 is the
 * opening, and what changes afterwards is another number.
 */
export const alert = z.strictObject({
  kind: z.literal('alert'),
  /** `<signal>-<part>-<direction>-<hour>`, unique in the surface. */
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,160}$/),
  surface: surfaceName,
  signal: alertSignal,
  /** The rung, segment, stage, client or kind; empty for all together. */
  part: z.string(),
  direction: z.enum(['up', 'down']),
  state: z.enum(['open', 'resolved']),
  /** When it is thought to have begun, when it was sure, when it was over. */
  sinceMs: epochMs,
  openedAtMs: epochMs,
  resolvedAtMs: epochMs.nullable(),
  /** Of the hour in which it was sure, in `unit`. */
  value: z.number(),
  expected: z.strictObject({ value: z.number(), low: z.number(), high: z.number() }),
  unit: z.string(),
  /** One sentence that a person can act on. */
  says: z.string(),
  /** What changed here when it began; null where nothing is known to have. */
  suspect: z.strictObject({ what: z.string(), atMs: epochMs }).nullable(),
  /** Of the workflow that looks for the cause; null where none was started. */
  workflowId: z.string().nullable(),
  /** The last three days up to then. */
  picture: z.array(alertPoint).max(96),
});
export type Alert = z.infer<typeof alert>;

export const alertSeries = (surface: string, id: string): string => `alert/${surface}/${id}`;

/** Nobody is told of an alert while a silence holds for it. Series `silence/<surface>`. */
export const silence = z.strictObject({
  kind: z.literal('silence'),
  surface: surfaceName,
  generation: z.number().int().min(1),
  /** What the alert was about: it holds for others of the same signal, part and direction too. */
  signal: alertSignal,
  part: z.string(),
  direction: z.enum(['up', 'down']),
  by: z.string().min(1).max(128),
  why: z.string().min(1).max(2000),
  fromMs: epochMs,
  untilMs: epochMs,
});
export type Silence = z.infer<typeof silence>;

/** Where alerts are told. */
export const receiverNames = ['webhook', 'alertmanager'] as const;
export type ReceiverName = (typeof receiverNames)[number];

export type AlertMoment = 'opened' | 'resolved';
export type AlertNotice = { surface: string; alert: string; moment: AlertMoment; receiver: ReceiverName };
/** `silenced`: a silence has kept it from being told until now. */
export type TellRequest = AlertNotice & { silenced: boolean };
/** `againAtMs`: when it is to be tried again; null where that is not needed. */
export type Told = { told: boolean; why: string; againAtMs: number | null };

/** Whom to tell of which alerts that opened and closed. */
export type AlertTurns = { opened: string[]; closed: string[]; receivers: ReceiverName[] };

/** An alert that opened, and the hours in which it is about something. */
export type OpenedAlert = { alert: string; signal: string; fromMs: number; toMs: number };
/** What a look at a surface found. */
export type WatchLook = { generation: number; measuredToMs: number; opened: OpenedAlert[]; closed: string[]; receivers: ReceiverName[] };
/** `look`: which it is; asked again for the same, it answers the same. */
export type WatchRequest = { surface: string; look: string };

/** What `workflows/watch.ts` asks for. */
export type WatchActivities = {
  /** Measures the hours that are over, judges them, and records alerts that open and close. */
  watchSurface(input: WatchRequest): Promise<WatchLook>;
  /** Tells one receiver, unless a silence holds. */
  tellReceiver(input: TellRequest): Promise<Told>;
};
