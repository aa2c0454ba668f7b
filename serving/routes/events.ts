import type { RequestHandler } from 'express';
import { z } from 'zod';
import { jsonSchemaOf, publishedSchemas } from '../../models/contracts/event-schemas.ts';
import { inputError, UnderstudyError } from '../../models/contracts/problem.ts';
import { acceptEvents } from '../accept-events.ts';
import type { Metrics } from '../metrics.ts';
import type { LiveSurface } from '../surface.ts';

export const eventsAtMost = 1_000;
export const eventsMaxBytes = 1_048_576;

/** Each event is checked by itself: one that is not valid does not take the others down. */
export const eventBatch = z.strictObject({ events: z.array(z.unknown()).min(1).max(eventsAtMost) });

type Options = { surfaces: ReadonlyMap<string, LiveSurface>; metrics: Metrics; clock: () => number };

/** POST /v1/events */
export function eventsRoute({ surfaces, metrics, clock }: Options): RequestHandler {
  return async (request, response) => {
    const parsed = eventBatch.safeParse(request.body);
    if (!parsed.success) throw inputError('UND-INPUT', 'The batch', parsed.error.issues);
    const { events } = parsed.data;
    const nowMs = clock();
    const results = await acceptEvents({ events, surfaces, nowMs, onWarning: (surface, rule) => metrics.ruleWarnings.inc({ surface, rule }) });
    for (const [place, { status }] of results.entries()) {
      const { surface, atMs } = (events[place] ?? {}) as { surface?: unknown; atMs?: unknown };
      const known = typeof surface === 'string' && surfaces.has(surface) ? surface : 'unknown';
      metrics.events.inc({ surface: known, status });
      if (status === 'accepted' && typeof atMs === 'number') metrics.eventAge.observe({ surface: known }, Math.max(0, nowMs - atMs) / 1000);
    }
    const counts = { accepted: 0, duplicate: 0, quarantined: 0, withheld: 0, rejected: 0 };
    for (const { status } of results) counts[status] += 1;
    response.json({ ...counts, results });
  };
}

/** GET /v1/schemas */
export const schemasRoute: RequestHandler = (_request, response) => {
  response.json({ schemas: publishedSchemas.map(({ name, version, title }) => ({ name, version, title, path: `/v1/schemas/${name}/${version}` })) });
};

/** GET /v1/schemas/:name/:version */
export const schemaRoute: RequestHandler = (request, response) => {
  const { name, version } = request.params as { name: string; version: string };
  const schema = /^[0-9]{1,4}$/.test(version) ? jsonSchemaOf({ name, version: Number(version) }) : undefined;
  if (schema === undefined)
    throw new UnderstudyError('UND-NOT-FOUND', `There is no schema ${JSON.stringify(name)} ${JSON.stringify(version)}; /v1/schemas lists those that there are`);
  response.type('application/schema+json').send(JSON.stringify(schema));
};
