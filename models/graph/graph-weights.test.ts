import { expect, test } from 'vitest';
import { graphWeights } from './graph-weights.ts';
import { OnnxBuilder } from './onnx-builder.ts';

test('a graph holds what was put into it', () => {
  const builder = new OnnxBuilder({ name: 'some' });
  builder.constant(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2], 'table');
  builder.constant(Uint8Array.of(1, 2, 3), [3], 'codes');
  builder.constant([7], [], 'one');
  expect(graphWeights(builder.build().bytes)).toEqual([
    { name: 'table', type: 'float32', shape: [3, 2], bytes: 24 },
    { name: 'codes', type: 'uint8', shape: [3], bytes: 3 },
    { name: 'one', type: 'int64', shape: [], bytes: 8 },
  ]);
});

test.each(['no graph', '\x3a\xff\xff\xff\x7f'])('what is no graph is named as that: %j', (text) => {
  expect(() => graphWeights(Buffer.from(text, 'latin1'))).toThrow(expect.objectContaining({ code: 'UND-ARTIFACT' }));
});
