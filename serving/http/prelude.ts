import type { RequestHandler } from 'express';
import type { Metrics } from '../metrics.ts';

declare module 'express-serve-static-core' {
  interface Locals {
    /** The route's pattern for metrics and logs: few and known, whatever is asked for. */
    route: string;
  }
}

const requestIdPattern = /^[A-Za-z0-9._:/+=@-]{1,128}$/;

/**
 * First for every request: its id (the caller's own where it has a sound one), the security headers, and its time when it ends. While the server
 * drains, callers are told to take their next request elsewhere.
 */
export function prelude({ metrics, newRequestId, draining }: { metrics: Metrics; newRequestId: () => string; draining: () => boolean }): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    const given = request.headers['x-request-id'];
    response.setHeader('x-request-id', typeof given === 'string' && requestIdPattern.test(given) ? given : newRequestId());
    response.setHeader('x-content-type-options', 'nosniff');
    if (draining()) response.setHeader('connection', 'close');
    response.on('finish', () => {
      metrics.requests.observe({ route: response.locals.route ?? 'unknown', status: String(response.statusCode) }, (performance.now() - startedAt) / 1000);
    });
    next();
  };
}
