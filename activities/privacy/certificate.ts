import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson } from '../../models/contracts/digest.ts';
import { type ErasureCertificate, type SignedCertificate, signedCertificate } from '../../models/contracts/erasure.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';

/** @param key PKCS #8 in base64, or PEM. @throws UND-SIGNING-KEY when it is missing, or no Ed25519 key. */
export function signingKey(key: string | null): KeyObject {
  if (key === null) throw new UnderstudyError('UND-SIGNING-KEY', 'A certificate must be signed, and UNDERSTUDY_SIGNING_KEY is not set');
  let parsed: KeyObject;
  try {
    parsed = key.includes('-----BEGIN') ? createPrivateKey(key) : createPrivateKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'pkcs8' });
  } catch {
    throw new UnderstudyError('UND-SIGNING-KEY', 'UNDERSTUDY_SIGNING_KEY is no private key in PKCS #8');
  }
  if (parsed.asymmetricKeyType !== 'ed25519')
    throw new UnderstudyError('UND-SIGNING-KEY', `UNDERSTUDY_SIGNING_KEY is a key for ${parsed.asymmetricKeyType}, not for Ed25519`);
  return parsed;
}

export function signCertificate(certificate: ErasureCertificate, key: KeyObject): SignedCertificate {
  const signature = sign(null, Buffer.from(canonicalJson(certificate), 'utf8'), key).toString('base64');
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('base64');
  return signedCertificate.parse({ certificate, signature, publicKey });
}

/** Whether the certificate is what was signed by the key that it names. */
export function isSigned({ certificate, signature, publicKey }: SignedCertificate): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' && verify(null, Buffer.from(canonicalJson(certificate), 'utf8'), key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}
