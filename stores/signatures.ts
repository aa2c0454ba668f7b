import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson, digestBytes } from '../models/contracts/digest.ts';
import type { Digest } from '../models/contracts/ids.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { publicKeyText, type Signature, signatureText } from '../models/contracts/signature.ts';

/*
 * The one way in which the house signs: Ed25519 (RFC 8032) over a document's canonical JSON. Each document says in its `kind` what it is, so that a signature
 * of one is none of another.
 */

/** A private key with what is said of it: `key` is the fingerprint, `publicKey` is SPKI in base64. */
export type Signer = { key: Digest; publicKey: string; sign: (document: unknown) => Signature };

/**
 * @param key PKCS #8 in base64, or PEM
 * @param variable of the environment that it came from
 * @throws UND-SIGNING-KEY when it is missing, or no Ed25519 key
 */
export function signingKey(key: string | null, variable = 'UNDERSTUDY_SIGNING_KEY'): KeyObject {
  if (key === null) throw new UnderstudyError('UND-SIGNING-KEY', `This must be signed, and ${variable} is not set`);
  let parsed: KeyObject;
  try {
    parsed = key.includes('-----BEGIN') ? createPrivateKey(key) : createPrivateKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'pkcs8' });
  } catch {
    throw new UnderstudyError('UND-SIGNING-KEY', `${variable} is no private key in PKCS #8`);
  }
  if (parsed.asymmetricKeyType !== 'ed25519')
    throw new UnderstudyError('UND-SIGNING-KEY', `${variable} is a key for ${parsed.asymmetricKeyType}, not for Ed25519`);
  return parsed;
}

export function signerOf(key: KeyObject): Signer {
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('base64');
  const fingerprint = fingerprintOf(publicKey);
  const signText = (document: unknown) => sign(null, Buffer.from(canonicalJson(document), 'utf8'), key).toString('base64');
  return { key: fingerprint, publicKey, sign: (document) => ({ key: fingerprint, signature: signText(document) }) };
}

/** @param publicKey SPKI in base64 */
export const fingerprintOf = (publicKey: string): Digest => digestBytes(Buffer.from(publicKey, 'base64'));

/** @param publicKey SPKI in base64 */
export function isSignedBy({ document, signature, publicKey }: { document: unknown; signature: string; publicKey: string }): boolean {
  if (!signatureText.safeParse(signature).success || !publicKeyText.safeParse(publicKey).success) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
    return verify(null, Buffer.from(canonicalJson(document), 'utf8'), key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}
