import type { RequestHandler } from 'express';
import { z } from 'zod';
import { subjects } from '../../models/contracts/erasure.ts';
import { surfaceName } from '../../models/contracts/ids.ts';
import { inputError } from '../../models/contracts/problem.ts';
import { challengersInPlay } from '../../models/slate/assign.ts';
import { unknownSurface } from '../accept-events.ts';
import type { Metrics } from '../metrics.ts';
import type { LiveSurface } from '../surface.ts';
import type { Watcher } from '../watch-deployments.ts';

export const sealRequest = z.strictObject({ surface: surfaceName });

/** POST /v1/admin/seal: ends the open segments of both logs, so that the pipeline can pin them. */
export function sealRoute({ surfaces }: { surfaces: ReadonlyMap<string, LiveSurface> }): RequestHandler {
  return async (request, response) => {
    const parsed = sealRequest.safeParse(request.body);
    if (!parsed.success) throw inputError('UND-INPUT', 'The request', parsed.error.issues);
    const surface = surfaces.get(parsed.data.surface);
    if (surface === undefined) throw unknownSurface(parsed.data.surface);
    const { events, slates } = await surface.seal();
    response.json({ surface: surface.name, events: events ?? null, slates: slates ?? null });
  };
}

export const forgetRequest = z.strictObject({ surface: surfaceName, ...subjects.shape });

/** POST /v1/admin/forget: what this replica remembers of these people is gone. What it has logged of them is the pipeline's to erase. */
export function forgetRoute({ surfaces }: { surfaces: ReadonlyMap<string, LiveSurface> }): RequestHandler {
  return (request, response) => {
    const parsed = forgetRequest.safeParse(request.body);
    if (!parsed.success) throw inputError('UND-INPUT', 'The request', parsed.error.issues);
    const { surface: name, userIds, sessionIds, deviceIds } = parsed.data;
    const surface = surfaces.get(name);
    if (surface === undefined) throw unknownSurface(name);
    const units = [...userIds.map((id) => `u:${id}`), ...sessionIds.map((id) => `s:${id}`)];
    surface.profiles.forget(units);
    surface.enrolments.forget(units);
    surface.consents.forget([...units, ...deviceIds.map((id) => `d:${id}`)]);
    response.json({ surface: name, forgotten: userIds.length + sessionIds.length + deviceIds.length });
  };
}

export const drainRequest = z.strictObject({});

/** POST /v1/admin/drain: this replica ends as by SIGTERM, behind what is under way and this answer. */
export function drainRoute({ replica, drain }: { replica: string; drain: () => void }): RequestHandler {
  return (request, response) => {
    const parsed = drainRequest.safeParse(request.body);
    if (!parsed.success) throw inputError('UND-INPUT', 'The request', parsed.error.issues);
    response.json({ replica, draining: true });
    drain();
  };
}

type Standings = Pick<Watcher, 'surfaces' | 'standings'>;

/** GET /v1/surfaces/:surface: what is in force here. */
export function surfaceRoute({ surfaces, standings }: Standings): RequestHandler {
  return (request, response) => {
    const name = String(request.params.surface);
    const surface = surfaces.get(name);
    if (surface === undefined) throw unknownSurface(name);
    const { spec, charter, scope, rulesDigest, models, host } = surface.snapshot;
    response.json({
      surface: name,
      title: charter.title,
      generation: spec.generation,
      champion: spec.champion,
      challenger: spec.challenger,
      rivals: spec.rivals,
      canary: spec.canary,
      paused: spec.paused,
      charter: spec.charter,
      catalog: spec.catalog,
      rulesDigest,
      itemsInScope: scope.allowedIds.length,
      slateSize: charter.slate.size,
      modelsLoaded: [...models.keys()],
      modelThreads: host?.readyThreads(spec.champion) ?? 0,
      refused: standings.get(name)?.refused ?? null,
    });
  };
}

/** GET /livez: the process answers. */
export const liveRoute: RequestHandler = (_request, response) => {
  response.json({ status: 'alive' });
};

/**
 * GET /readyz: 200 when every surface has something in force. `degraded` says what is not as it should be while slates are still served: no replica
 * gets better by being left out for it.
 */
export function readyRoute({
  surfaces,
  standings,
  unseen,
  draining,
}: Pick<Watcher, 'surfaces' | 'standings' | 'unseen'> & { draining: () => boolean }): RequestHandler {
  return (_request, response) => {
    const troubles = [...surfaces.values()].flatMap((surface) => surface.troubles());
    const byName: Record<string, unknown> = {};
    for (const [name, { generation, refused, unreadable }] of standings) {
      const { host, spec } = surfaces.get(name)?.snapshot ?? {};
      const threads = host?.readyThreads(spec?.champion ?? '') ?? 0;
      byName[name] = { generation, modelThreads: threads, ...(refused === undefined ? {} : { refused }), ...(unreadable ? { unreadable } : {}) };
      if (refused !== undefined) troubles.push(`${name}: generation ${refused.generation} is refused: ${refused.problem.code}`);
      if (surfaces.has(name) && threads === 0) troubles.push(`${name}: no model answers, the fallback does`);
      const canary = host ? spec?.canary : null;
      for (const artifact of canary ? challengersInPlay(canary) : []) {
        const which = canary?.rivals === undefined ? 'the challenger' : `the challenger ${artifact}`;
        if (host?.readyThreads(artifact) === 0) troubles.push(`${name}: ${which} does not answer`);
      }
    }
    for (const [what, why] of unseen) troubles.push(what === '' ? `the deployments cannot be read: ${why}` : `${what} cannot be read: ${why}`);
    const missing = [...standings].filter(([name, { unreadable }]) => !surfaces.has(name) && unreadable !== true);
    // A replica that has never seen the deployments has nothing to serve.
    const blind = surfaces.size === 0 && unseen.has('');
    const ready = missing.length === 0 && !blind && !draining();
    const status = draining() ? 'draining' : !ready ? 'not-ready' : troubles.length > 0 ? 'degraded' : 'ready';
    response.status(ready ? 200 : 503).json({ status, surfaces: byName, troubles });
  };
}

/** GET /metrics, for Prometheus. What models are able to is asked as it is read. */
export function metricsRoute({ metrics, surfaces }: { metrics: Metrics; surfaces: ReadonlyMap<string, LiveSurface> }): RequestHandler {
  return async (_request, response) => {
    metrics.breakersOpen.reset();
    for (const [surface, { snapshot }] of surfaces) {
      metrics.threadsReady.set({ surface }, snapshot.host?.readyThreads(snapshot.spec.champion) ?? 0);
      for (const artifact of snapshot.models.keys()) metrics.breakersOpen.set({ surface, artifact }, snapshot.host?.isTooSlow(artifact) ? 1 : 0);
    }
    const text = await metrics.registry.metrics();
    response.writeHead(200, { 'content-type': metrics.registry.contentType });
    response.end(text);
  };
}
