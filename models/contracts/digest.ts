import { createHash } from 'node:crypto';
import type { Digest } from './ids.ts';

/**
 * JSON with object keys in code-unit order, no spaces, `undefined` members left out (RFC 8785 for the values we store).
 * @throws TypeError for what is not JSON: infinities, functions, symbols, big integers.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object') throw new TypeError(`canonicalJson: ${String(value)} is not JSON`);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`;
}

/** More cannot be hashed at once. */
const hashedAtOnce = 2 ** 30;

export function digestBytes(bytes: Uint8Array | string): Digest {
  const hash = createHash('sha256');
  if (typeof bytes === 'string') hash.update(bytes);
  else for (let from = 0; from < bytes.length; from += hashedAtOnce) hash.update(bytes.subarray(from, from + hashedAtOnce));
  return `sha256:${hash.digest('hex')}`;
}

/** The digest of a document: of its canonical JSON, so that key order does not matter. */
export function digestJson(value: unknown): Digest {
  return digestBytes(canonicalJson(value));
}
