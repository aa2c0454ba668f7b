import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isSigned } from '../../activities/privacy/certificate.ts';
import type { z } from 'zod';
import { digestJson } from './digest.ts';
import { erasureRequest, signedCertificate } from './erasure.ts';
import { mend } from './mend.ts';
import { dataState, ingestManifest } from './window.ts';

const folder = new URL('./fixtures/v2/', import.meta.url);
const recorded = (name: string): unknown => JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));

/** Documents of the data, as they were when they were recorded, and their digests then. */
const documents: Record<string, [schema: z.ZodType, digest: string]> = {
  'data-state-quarantine': [dataState, 'sha256:e22b034eb601bad7bc6b81d282052e16ca7dcefcee5d1f8ec6a0570d4dbf8ff4'],
  'erasure-certificate': [signedCertificate, 'sha256:222619de0d2b447cbc66dabc03ea712d98d81be594d989eb2fa91d1aaa4feb3a'],
  'erasure-request': [erasureRequest, 'sha256:61076eefc1f0b551e4da91ff3ae95d1452031a6d52690d1b894165667ea9c594'],
  ingest: [ingestManifest, 'sha256:76f902242aebb51bdb883982d196f70cdc4fa0f5a6abc8fe943c6a519c4392c8'],
  'ingest-replay': [ingestManifest, 'sha256:cc093d51111b1ab06769ba1519a1854840912f4fe4579e7a37b95808b4f05e10'],
  mend: [mend, 'sha256:f2892d730b08e010cc54808ba3ce6dfdcb2518df0e8fd6f3fb59a189b1ba8da2'],
};

describe('recorded documents of the data', () => {
  it('are all here', () => {
    const names = readdirSync(folder).flatMap((file) => (file.endsWith('.json') ? [file.replace(/\.json$/, '')] : []));
    expect(names.sort()).toEqual(Object.keys(documents).sort());
  });

  it.each(Object.entries(documents))('%s stays readable to the last field, and keeps its name', (name, [schema, digest]) => {
    expect(schema.parse(recorded(name))).toEqual(recorded(name));
    expect(digestJson(recorded(name))).toBe(digest);
    expect(schema.safeParse({ ...(recorded(name) as object), stranger: 1 }).success).toBe(false);
  });

  it('are signed where they say so', () => {
    expect(isSigned(signedCertificate.parse(recorded('erasure-certificate')))).toBe(true);
  });
});
