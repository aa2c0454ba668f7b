import { type Server, STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import { asUnderstudyError, type ProblemDetails, toProblemDetails, UnderstudyError } from '../../models/contracts/problem.ts';

const retryAfterSeconds = 5;

/** More mistakes than this are counted, not named: an answer must not be many times as long as what was sent. */
const mistakesAtMost = 20;
const detailAtMost = 2_000;

/** A problem as it is sent. */
export function sendable(problem: ProblemDetails): ProblemDetails {
  const { mistakes = [], detail } = problem;
  return {
    ...problem,
    detail: detail.length > detailAtMost ? `${detail.slice(0, detailAtMost)}…` : detail,
    ...(mistakes.length > mistakesAtMost ? { mistakes: mistakes.slice(0, mistakesAtMost), moreMistakes: mistakes.length - mistakesAtMost } : {}),
  };
}

/** Answers errors as `application/problem+json` (RFC 9457). What broke inside is logged with the request's id and not told. */
export function problemResponse({ log }: { log: (line: string) => void }): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    const known = fromExpress(error);
    const problem: ProblemDetails = { ...sendable(toProblemDetails(known)), requestId: response.getHeader('x-request-id') };
    if (known.code === 'UND-INTERNAL') log(`${problem.requestId}: ${stackOf(known)}`);
    if (problem.status === 503 || problem.status === 429) response.setHeader('retry-after', String(retryAfterSeconds));
    if (problem.status === 401) response.setHeader('www-authenticate', 'Bearer');
    const body = JSON.stringify(problem);
    response.writeHead(problem.status, { 'content-type': problemType, 'content-length': Buffer.byteLength(body) });
    response.end(body);
  };
}

const problemType = 'application/problem+json';

/** Down to where it was thrown: what wraps it says only where it was caught. */
function stackOf(error: Error): string {
  const inner = error.cause instanceof Error ? stackOf(error.cause) : undefined;
  return inner ?? String(error.stack);
}

/** What is no HTTP never reaches a route; it is answered with a problem all the same. */
export function answerBrokenRequests(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
    const known =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? new UnderstudyError('UND-TOO-LARGE', 'The headers are too large')
        : new UnderstudyError('UND-INPUT', error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'The request did not come in time' : 'This is not an HTTP request');
    const problem = toProblemDetails(known);
    const body = JSON.stringify(problem);
    socket.end(
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nContent-Type: ${problemType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  });
}

/** Express would answer OPTIONS by itself, as text; no route takes it. */
export function noOptions({ allowed }: { allowed: (path: string) => readonly string[] }): RequestHandler {
  const refuse = notFound({ allowed });
  return (request, response, next) => (request.method === 'OPTIONS' ? refuse(request, response, next) : next());
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
