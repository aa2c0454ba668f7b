import { createHash, createHmac } from 'node:crypto';

/** Whom the system knows only by a name that nobody can tell from the person's id without the key. */
export type Pseudonyms = {
  /** `p_` and 22 characters: the first 132 bits of HMAC-SHA-256 (RFC 2104) of the id under the key, in base64url. */
  of(id: string): string;
  /** Tells keys apart, and nothing of them. */
  fingerprint: string;
  /** The two pads of the HMAC, in hex: for engines that have the hash and not the HMAC. */
  pads: { inner: string; outer: string };
};

export function createPseudonyms(key: string): Pseudonyms {
  const hmac = (text: string) => createHmac('sha256', key).update(text, 'utf8').digest();
  const blockBytes = 64;
  const given = Buffer.from(key, 'utf8');
  const block = Buffer.alloc(blockBytes);
  (given.length > blockBytes ? createHash('sha256').update(given).digest() : given).copy(block);
  const pad = (byte: number) => Buffer.from(block.map((one) => one ^ byte)).toString('hex');
  return {
    of: (id) => `p_${hmac(id).toString('base64url').slice(0, 22)}`,
    // No id has a control character, so this is nobody's pseudonym.
    fingerprint: hmac('\u0000fingerprint').toString('hex').slice(0, 16),
    pads: { inner: pad(0x36), outer: pad(0x5c) },
  };
}

type Who = { userId?: string | undefined; deviceId?: string | undefined; sessionId?: string | undefined };

/** The same with pseudonyms for user, device and session; as it is where there are none to be. */
export function underPseudonym<One extends object>(one: One, pseudonyms: Pseudonyms | null): One {
  if (pseudonyms === null) return one;
  const { userId, deviceId, sessionId } = one as Who;
  return {
    ...one,
    ...(userId === undefined ? {} : { userId: pseudonyms.of(userId) }),
    ...(deviceId === undefined ? {} : { deviceId: pseudonyms.of(deviceId) }),
    ...(sessionId === undefined ? {} : { sessionId: pseudonyms.of(sessionId) }),
  };
}
