import { createHash, timingSafeEqual } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
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

type AdminLock = { adminKey: string | null; keys: readonly string[]; localOnly: boolean };

/** Where no admin key is set, the admin routes are open on a server that only this machine reaches and that asks nobody for a key, and closed on any other. */
export function isAdminOpen({ adminKey, keys, localOnly }: AdminLock): boolean {
  return adminKey === null && keys.length === 0 && localOnly;
}

/** Needs the admin key, unless the admin routes are open. */
export function needsAdmin(lock: AdminLock): RequestHandler {
  const { adminKey } = lock;
  const holdsKey = keyCheck(adminKey === null ? [] : [adminKey]);
  const isOpen = isAdminOpen(lock);
  return (request, _response, next) => {
    const why = adminKey === null ? 'This needs an admin key, and the tier has none: set UNDERSTUDY_ADMIN_KEY' : 'This needs the admin key';
    next(isOpen || holdsKey(request) ? undefined : new UnderstudyError('UND-UNAUTHORIZED', why));
  };
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine reaches an address. A name that merely looks like one (`127.evil.example`) is none. */
export function isLoopback(address: string): boolean {
  const version = isIP(address);
  return version === 0 ? address === 'localhost' : loopback.check(address, version === 4 ? 'ipv4' : 'ipv6');
}
