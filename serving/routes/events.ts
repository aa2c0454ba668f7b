import type { RequestHandler } from 'express';
import { z } from 'zod';
import { inputError } from '../../models/contracts/problem.ts';
import { acceptEvents } from '../accept-events.ts';
import type { Metrics } from '../metrics.ts';
import type { LiveSurface } from '../surface.ts';

export const eventsAtMost = 1_000;
export const eventsMaxBytes = 1_048_576;

/** Each event is checked by itself: one that is not valid does not take the others down. */
export const eventBatch = z.strictObject({ events: z.array(z.unknown()).min(1).max(eventsAtMost) });

/** POST /v1/events */
export function eventsRoute({ surfaces, metrics }: { surfaces: ReadonlyMap<string, LiveSurface>; metrics: Metrics }): RequestHandler {
  return async (request, response) => {
    const parsed = eventBatch.safeParse(request.body);
    if (!parsed.success) throw inputError('UND-INPUT', 'The batch', parsed.error.issues);
    const { events } = parsed.data;
    const results = await acceptEvents({ events, surfaces });
    for (const [place, { status }] of results.entries()) {
      const surface = (events[place] as { surface?: unknown } | null)?.surface;
      metrics.events.inc({ surface: typeof surface === 'string' && surfaces.has(surface) ? surface : 'unknown', status });
    }
    const counts = { accepted: 0, duplicate: 0, rejected: 0 };
    for (const { status } of results) counts[status] += 1;
    response.json({ ...counts, results });
  };
}
