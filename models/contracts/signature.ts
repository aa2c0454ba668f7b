import { z } from 'zod';
import { digestString } from './ids.ts';

/** 64 bytes in base64, in the one way to write them. */
export const signatureText = z.string().regex(/^[A-Za-z0-9+/]{85}[AQgw]==$/, 'an Ed25519 signature in base64');
/** An Ed25519 key as SPKI in base64, in the one way to write it. */
export const publicKeyText = z.string().regex(/^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, 'an Ed25519 public key, SPKI in base64');

/** Ed25519 (RFC 8032) over canonical JSON. `key`: the digest of the public key's SPKI bytes, its fingerprint. */
export const signature = z.strictObject({ key: digestString, signature: signatureText });
export type Signature = z.infer<typeof signature>;
