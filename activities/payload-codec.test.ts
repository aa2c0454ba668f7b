import { defaultPayloadConverter } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPayloadCodec } from './payload-codec.ts';

const secret = 'a key of at least thirty-two characters';

describe('payloads', () => {
  it('come back as they were, and say nothing of themselves meanwhile', async () => {
    const codec = createPayloadCodec(secret);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.jsonValue(), fc.uint8Array()), { minLength: 1, maxLength: 4 }), async (values) => {
        const payloads = values.map((value) => defaultPayloadConverter.toPayload(value));
        const encoded = await codec.encode(payloads);
        expect((await codec.decode(encoded)).map((payload) => defaultPayloadConverter.fromPayload(payload))).toEqual(
          payloads.map((payload) => defaultPayloadConverter.fromPayload(payload)),
        );
        for (const { metadata } of encoded) expect(Object.keys(metadata ?? {})).toEqual(['encoding']);
      }),
    );
    const [encoded] = await codec.encode([defaultPayloadConverter.toPayload({ userId: 'somebody' })]);
    expect(Buffer.from(encoded?.data ?? []).includes('somebody')).toBe(false);
  });

  it('are never the same twice, cannot be read by another key or changed, and are left alone where they are plain', async () => {
    const codec = createPayloadCodec(secret);
    const plain = defaultPayloadConverter.toPayload('x');
    const [one, two] = await codec.encode([plain, plain]);
    expect(Buffer.from(one?.data ?? []).equals(Buffer.from(two?.data ?? []))).toBe(false);
    expect(await codec.decode([plain])).toEqual([plain]);
    await expect(createPayloadCodec(`${secret}!`).decode([one as never])).rejects.toMatchObject({ code: 'UND-ENVIRONMENT' });
    for (const place of Buffer.from(one?.data ?? []).keys()) {
      const changed = { ...one, data: Buffer.from(one?.data ?? []).map((byte, at) => (at === place ? byte ^ 1 : byte)) };
      await expect(codec.decode([changed])).rejects.toMatchObject({ code: 'UND-ENVIRONMENT' });
    }
  });
});
