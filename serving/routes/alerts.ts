import type { RequestHandler } from 'express';
import { readAlerts, silenceOf } from '../../stores/alerts.ts';
import type { GenerationStore } from '../../stores/generations.ts';
import type { LiveSurface } from '../surface.ts';

type Options = { surfaces: ReadonlyMap<string, LiveSurface>; generations: GenerationStore; clock: () => number };

/** GET /v1/admin/alerts: those that are open, as the watch has them. */
export function alertsRoute({ surfaces, generations, clock }: Options): RequestHandler {
  return async (_request, response) => {
    const alerts = [];
    for (const name of surfaces.keys())
      for (const alert of await readAlerts(generations, name))
        if (alert.state === 'open') alerts.push({ ...alert, silence: (await silenceOf(generations, alert, clock())) ?? null });
    response.json({ alerts });
  };
}
