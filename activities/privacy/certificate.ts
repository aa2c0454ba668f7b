import type { KeyObject } from 'node:crypto';
import { type ErasureCertificate, type SignedCertificate, signedCertificate } from '../../models/contracts/erasure.ts';
import { isSignedBy, signerOf } from '../../stores/signatures.ts';

export function signCertificate(certificate: ErasureCertificate, key: KeyObject): SignedCertificate {
  const signer = signerOf(key);
  return signedCertificate.parse({ certificate, signature: signer.sign(certificate).signature, publicKey: signer.publicKey });
}

/** Whether the certificate is what was signed by the key that it names. */
export function isSigned({ certificate, signature, publicKey }: SignedCertificate): boolean {
  return isSignedBy({ document: certificate, signature, publicKey });
}
