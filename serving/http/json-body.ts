import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { UnderstudyError } from '../../models/contracts/problem.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads `request.body` as JSON. Of what a general parser does, it leaves out encodings and character sets nobody needs, and it answers with this
 * house's codes.
 * @throws UND-JSON, UND-TOO-LARGE (which ends the connection: the rest of the body is not waited for).
 */
export function jsonBody({ maxBytes }: { maxBytes: number }): RequestHandler {
  const tooLarge = () => new UnderstudyError('UND-TOO-LARGE', `The body is larger than ${maxBytes} bytes`);
  return (request: Request, response: Response, next: NextFunction) => {
    const type = request.headers['content-type'] ?? '';
    if (!/^application\/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)/i.test(type))
      return next(new UnderstudyError('UND-JSON', `The content type is ${JSON.stringify(type)}, not application/json`));
    if (request.headers['content-encoding'] !== undefined && request.headers['content-encoding'] !== 'identity')
      return next(new UnderstudyError('UND-JSON', 'Compressed bodies are not read'));
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
      response.setHeader('connection', 'close');
      return next(tooLarge());
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    let ended = false;
    request.on('data', (chunk: Buffer) => {
      if (ended) return;
      bytes += chunk.length;
      if (bytes > maxBytes) {
        ended = true;
        response.setHeader('connection', 'close');
        return next(tooLarge());
      }
      chunks.push(chunk);
    });
    request.on('end', () => {
      if (ended) return;
      ended = true;
      try {
        request.body = JSON.parse(utf8.decode(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
      } catch (error) {
        return next(new UnderstudyError('UND-JSON', `The body is not JSON: ${error instanceof Error ? error.message : error}`));
      }
      next();
    });
    // A caller that goes away in the middle of its body gets no answer.
    request.on('error', () => {
      ended = true;
    });
  };
}
