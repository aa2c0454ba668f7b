import type { RequestHandler } from 'express';
import { inputError } from '../../models/contracts/problem.ts';
import { type RecommendRequest, recommendRequest } from '../../models/contracts/slate.ts';
import { underPseudonym } from '../../models/contracts/pseudonyms.ts';
import type { Random } from '../../models/random.ts';
import { unknownSurface } from '../accept-events.ts';
import type { Metrics } from '../metrics.ts';
import { recommend } from '../recommend.ts';
import type { LiveSurface } from '../surface.ts';

type Options = {
  surfaces: ReadonlyMap<string, LiveSurface>;
  replica: string;
  clock: () => number;
  random: Random;
  newRequestId: () => string;
  metrics: Metrics;
};

/**
 * Of somebody who does not want to be known, by the user, the device or the session, the request is anybody's; so is everybody's for as long as nobody
 * knows who that is.
 */
function asAllowed(request: RecommendRequest, { consents, knowsConsents }: LiveSurface): RecommendRequest {
  if (knowsConsents() && consents.allows(request, 'personalization')) return request;
  const { userId: _user, sessionId: _session, deviceId: _device, context, ...rest } = request;
  const { history: _history, segment: _segment, ...place } = context;
  return { ...rest, context: place };
}

/** POST /v1/recommend */
export function recommendRoute({ surfaces, replica, clock, random, newRequestId, metrics }: Options): RequestHandler {
  return async (request, response) => {
    const parsed = recommendRequest.safeParse(request.body);
    if (!parsed.success) throw inputError('UND-INPUT', 'The request', parsed.error.issues);
    const surface = surfaces.get(parsed.data.surface);
    if (surface === undefined) throw unknownSurface(parsed.data.surface);
    const { snapshot, profiles, enrolments, rungs } = surface;
    snapshot.host?.retain();
    try {
      const {
        response: slate,
        record,
        stagesMs,
        modelLatencyMs,
      } = await recommend({
        request: asAllowed(underPseudonym(parsed.data, snapshot.pseudonyms), surface),
        snapshot,
        profiles,
        enrolments,
        guard: surface.guard,
        exposure: surface.exposure(),
        mayEnrol: surface.canRecord(),
        rungs,
        requestId: newRequestId(),
        replica,
        nowMs: clock(),
        random,
      });
      if (record instanceof Promise) surface.logSlateLater(record);
      else surface.logSlate(record);
      const { name } = surface;
      metrics.slates.inc({ surface: name, variant: slate.variant, rung: slate.rung });
      for (const [stage, ms] of Object.entries(stagesMs)) metrics.stages.observe({ surface: name, stage }, ms / 1000);
      if (modelLatencyMs === null) metrics.modelFailures.inc({ surface: name });
      else metrics.model.observe({ surface: name, variant: slate.variant }, modelLatencyMs / 1000);
      const body = JSON.stringify(slate);
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' });
      response.end(body);
    } finally {
      snapshot.host?.release();
    }
  };
}
