import { z } from 'zod';
import { alert } from './alert.ts';
import { dayString, digestString, epochMs, surfaceName } from './ids.ts';
import { detectorState, measuredHour, signalFit, unjudged } from './signal.ts';

/** Made anew each day, of the weeks before it. */
export const watchFits = z.strictObject({
  kind: z.literal('watch-fits'),
  /** In the surface's time zone. */
  day: dayString,
  charter: digestString,
  fits: z.array(signalFit),
  unjudged: z.array(unjudged),
});
export type WatchFits = z.infer<typeof watchFits>;

/** Number `generation` of `watch/<surface>`: the hours that one look measured, and where it left the detectors. */
export const watchState = z.strictObject({
  kind: z.literal('watch'),
  surface: surfaceName,
  generation: z.number().int().min(1),
  /** The run of the workflow that looked. */
  look: z.string(),
  atMs: epochMs,
  charter: digestString,
  /** Hours before this one are measured. */
  measuredToMs: epochMs,
  hours: z.array(measuredHour),
  /** Digest of `watchFits`: what the signals are expected by; null before there was an hour to judge. */
  fits: digestString.nullable(),
  detectors: z.array(detectorState),
  /** Alerts that this look opened, and ids of those that it closed, with the hour's end. */
  opened: z.array(alert),
  closed: z.array(z.strictObject({ alert: z.string(), atMs: epochMs })),
});
export type WatchState = z.infer<typeof watchState>;
