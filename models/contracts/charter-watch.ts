import { z } from 'zod';
import { receiverNames } from './alert.ts';
import { signalName, signals } from './signal.ts';

/** By what a surface is watched, and who is told. */
export const watchRules = z.strictObject({
  signals: z
    .array(signalName)
    .min(1)
    .default(Object.keys(signals) as (keyof typeof signals)[]),
  /** Alerts that chance may open in a month, all signals together. */
  falseAlarmsPerMonth: z.number().min(0.01).max(30).default(1),
  /** An hour is expected to be as the same hour of the same weekday of so many weeks before. */
  weeks: z.number().int().min(4).max(26).default(8),
  /** Those that the environment names are told, but for those that are not listed here. */
  receivers: z.array(z.enum(receiverNames)).default([...receiverNames]),
});
export type WatchRules = z.output<typeof watchRules>;

/** Of a charter that says nothing of it. */
export const watchDefaults: WatchRules = watchRules.parse({});
