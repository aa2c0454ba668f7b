import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { UnderstudyError } from '../../models/contracts/problem.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Whether a request carries one of the keys. Every key is compared in full, so that time tells nothing. */
export function keyCheck(keys: readonly string[]): (request: Request) => boolean {
  const known = keys.map(digest);
  return (request) => {
    const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined) return false;
    const mine = digest(given);
    let found = false;
    for (const key of known) found = timingSafeEqual(key, mine) || found;
    return found;
  };
}

/** Open where no keys are set. */
export function needsKey({ keys, adminKey }: { keys: readonly string[]; adminKey: string | null }): RequestHandler {
  if (keys.length === 0) return (_request, _response, next) => next();
  const holdsKey = keyCheck(adminKey === null ? keys : [...keys, adminKey]);
  return (request, _response, next) => next(holdsKey(request) ? undefined : new UnderstudyError('UND-UNAUTHORIZED', 'This needs a key'));
}

/** Needs the admin key; where none is set, it is open on a server that only this machine reaches, and closed on any other. */
export function needsAdmin({ adminKey, localOnly }: { adminKey: string | null; localOnly: boolean }): RequestHandler {
  const holdsKey = keyCheck(adminKey === null ? [] : [adminKey]);
  return (request, _response, next) => {
    const allowed = adminKey === null ? localOnly : holdsKey(request);
    next(
      allowed
        ? undefined
        : new UnderstudyError('UND-UNAUTHORIZED', adminKey === null ? 'This needs an admin key, and none is set' : 'This needs the admin key'),
    );
  };
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address === 'localhost' || /^(?:::ffff:)?127\./.test(address);
}
