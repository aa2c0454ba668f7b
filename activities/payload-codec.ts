import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { METADATA_ENCODING_KEY } from '@temporalio/common';
import { UnderstudyError } from '../models/contracts/problem.ts';

const encoding = 'binary/encrypted';
const ivBytes = 12;
const tagBytes = 16;

/**
 * What Temporal keeps in histories, as nobody without the key can read it: AES-256-GCM (NIST SP 800-38D), a fresh nonce each. Payloads carry ids and digests
 * and no data anyway; this is the second fence. What was written without a key stays readable.
 */
export function createPayloadCodec(secret: string): PayloadCodec {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'understudy temporal payloads', 32));
  return {
    encode: async (payloads) => payloads.map((payload) => encrypted(payload, key)),
    decode: async (payloads) => payloads.map((payload) => decrypted(payload, key)),
  };
}

function encrypted(payload: Payload, key: Buffer): Payload {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const data = Buffer.concat([iv, cipher.update(packed(payload)), cipher.final(), cipher.getAuthTag()]);
  return { metadata: { [METADATA_ENCODING_KEY]: Buffer.from(encoding, 'utf8') }, data };
}

function decrypted(payload: Payload, key: Buffer): Payload {
  const { metadata, data } = payload;
  if (data === null || data === undefined || Buffer.from(metadata?.[METADATA_ENCODING_KEY] ?? []).toString('utf8') !== encoding) return payload;
  const bytes = Buffer.from(data);
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes));
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
  try {
    const plain = Buffer.concat([decipher.update(bytes.subarray(ivBytes, bytes.length - tagBytes)), decipher.final()]);
    return unpacked(plain);
  } catch (cause) {
    throw new UnderstudyError('UND-ENVIRONMENT', 'A payload of Temporal is encrypted by another key than UNDERSTUDY_PAYLOAD_KEY', { cause });
  }
}

const base64 = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('base64');

function packed({ metadata, data }: Payload): Buffer {
  const entries = Object.entries(metadata ?? {}).map(([name, bytes]) => [name, base64(bytes)]);
  return Buffer.from(JSON.stringify({ metadata: Object.fromEntries(entries), data: base64(data) }), 'utf8');
}

function unpacked(plain: Buffer): Payload {
  const { metadata, data } = JSON.parse(plain.toString('utf8')) as { metadata: Record<string, string>; data: string };
  const entries = Object.entries(metadata).map(([name, text]) => [name, Buffer.from(text, 'base64')]);
  return { metadata: Object.fromEntries(entries), data: Buffer.from(data, 'base64') };
}

/** Where failures are made such that the codec sees their messages; workflow code that is bundled ahead of its worker needs it too. */
export const failureConverterPath = fileURLToPath(new URL('./failure-converter.ts', import.meta.url));

/** How clients and workers write payloads, and the messages of failures: encrypted where there is a key. */
export function dataConverterOf(secret: string | undefined): { dataConverter?: DataConverter } {
  return secret === undefined ? {} : { dataConverter: { payloadCodecs: [createPayloadCodec(secret)], failureConverterPath } };
}
