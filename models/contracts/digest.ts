import { createHash } from 'node:crypto';
import type { Digest } from './ids.ts';

/** JSON with object keys in code-unit order, no spaces, `undefined` members left out (RFC 8785 for the values we store). */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member === 'number' && !Number.isFinite(member)) throw new TypeError(`canonicalJson: ${member} is not JSON`);
    if (member === null || typeof member !== 'object' || Array.isArray(member)) return member;
    const sorted: Record<string, unknown> = {};
    for (const key of Object.keys(member).sort()) sorted[key] = (member as Record<string, unknown>)[key];
    return sorted;
  });
}

export function digestBytes(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The digest of a document: of its canonical JSON, so that key order does not matter. */
export function digestJson(value: unknown): Digest {
  return digestBytes(canonicalJson(value));
}
