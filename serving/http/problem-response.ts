import type { ErrorRequestHandler, RequestHandler } from 'express';
import { asUnderstudyError, type ProblemDetails, toProblemDetails, UnderstudyError } from '../../models/contracts/problem.ts';

const retryAfterSeconds = 5;

/** Answers errors as `application/problem+json` (RFC 9457). What broke inside is logged with the request's id and not told. */
export function problemResponse({ log }: { log: (line: string) => void }): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    const known = fromExpress(error);
    const problem: ProblemDetails = { ...toProblemDetails(known), requestId: response.getHeader('x-request-id') };
    if (known.code === 'UND-INTERNAL') log(`${problem.requestId}: ${known.stack}`);
    if (problem.status === 503) response.setHeader('retry-after', String(retryAfterSeconds));
    if (problem.status === 401) response.setHeader('www-authenticate', 'Bearer');
    const body = JSON.stringify(problem);
    response.writeHead(problem.status, { 'content-type': 'application/problem+json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  };
}

/** Express refuses paths that are not valid URLs with errors of its own. */
function fromExpress(error: unknown): UnderstudyError {
  const status = typeof error === 'object' && error !== null ? (error as { status?: unknown }).status : undefined;
  if (!(error instanceof UnderstudyError) && status === 400) return new UnderstudyError('UND-INPUT', 'The address is not valid');
  return asUnderstudyError(error);
}

/** 404 for what is not there, 405 with `Allow` for what is there under other methods. */
export function notFound({ allowed }: { allowed: (path: string) => readonly string[] }): RequestHandler {
  return (request, response, next) => {
    const methods = allowed(request.path);
    if (methods.length === 0) return next(new UnderstudyError('UND-NOT-FOUND', `There is nothing at ${request.path}`));
    response.setHeader('allow', methods.join(', '));
    next(new UnderstudyError('UND-METHOD', `${request.path} does not take ${request.method}`));
  };
}
