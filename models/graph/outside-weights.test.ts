import protobuf from 'protobufjs/minimal.js';
import { expect, it } from 'vitest';
import { weightsFile } from '../contracts/artifact.ts';
import { type GraphBytes, OnnxBuilder } from './onnx-builder.ts';
import { checkOutsideWeights } from './outside-weights.ts';

const [rows, width] = [512, 64];
const bytes = 4 * rows * width;

/** A graph whose table stands outside, and one whose table does not. */
function graphOf(numbers: number): GraphBytes {
  const builder = new OnnxBuilder({ name: 'outside' });
  builder.constant(new Float32Array(numbers * width), [numbers, width], 'table');
  return builder.build();
}

type Said = readonly (readonly [key: string, value: string])[];
const ours: Said = [
  ['location', weightsFile],
  ['offset', '0'],
  ['length', String(bytes)],
];
const but = (key: string, value: string): Said => ours.map(([one, said]) => [one, one === key ? value : said]);

/** A TensorProto that says of itself what it is told. */
function tensorOf(said: Said, isOutside = true): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(8).int64(rows).uint32(8).int64(width).uint32(16).int32(1).uint32(66).string('table');
  for (const [key, value] of said) writer.uint32(106).fork().uint32(10).string(key).uint32(18).string(value).ldelim();
  return (isOutside ? writer.uint32(112).int32(1) : writer).finish();
}

const message = (field: number, inner: Uint8Array) =>
  protobuf.Writer.create()
    .uint32((field << 3) | 2)
    .bytes(inner)
    .finish();
/** From the tensor outwards. */
const wrapped = (tensor: Uint8Array, fields: readonly number[]) => fields.reduce((inner, field) => message(field, inner), tensor);
const asWeight = (said: Said, isOutside?: boolean) => wrapped(tensorOf(said, isOutside), [5, 7]);

it('a graph may have its large tensors in the file beside it, or none', () => {
  const large = graphOf(rows);
  expect(large.weights).toHaveLength(bytes);
  expect(checkOutsideWeights(large.bytes, bytes)).toBe(true);
  expect(checkOutsideWeights(graphOf(3).bytes, undefined)).toBe(false);
  expect(checkOutsideWeights(graphOf(3).bytes, 10)).toBe(false);
  expect(checkOutsideWeights(asWeight(ours), bytes)).toBe(true);
  expect(checkOutsideWeights(asWeight([['location', weightsFile]]), bytes)).toBe(true);
});

it.each([
  { what: 'a file above', said: but('location', '../../etc/passwd'), says: /stands in "..\/..\/etc\/passwd": only recommend.weights/ },
  { what: 'a file of the machine', said: but('location', '/etc/passwd'), says: /stands in "\/etc\/passwd"/ },
  { what: 'its own file by another way', said: but('location', './recommend.weights'), says: /only recommend.weights/ },
  { what: 'another file beside it', said: but('location', 'vocabulary.json'), says: /only recommend.weights/ },
  { what: 'memory', said: but('location', '*/_ORT_MEM_ADDR_/*'), says: /only recommend.weights/ },
  { what: 'no place at all', said: ours.slice(1), says: /stands in ""/ },
  { what: 'a place said twice', said: [...ours, ['location', '/etc/passwd']], says: /in an unknown way/ },
  { what: 'what only one runtime knows', said: [...ours, ['prepacked_0', 'x|0|64|0']], says: /in an unknown way/ },
  { what: 'behind the end', said: but('offset', '4096'), says: /ends behind the end/ },
  { what: 'before the beginning', said: but('offset', '-4096'), says: /ends behind the end/ },
  { what: 'where no number is', said: but('offset', '0x10'), says: /ends behind the end/ },
  { what: 'more than its shape', said: but('length', String(bytes + 4)), says: /has 131076 bytes in recommend.weights, and by its shape 131072/ },
  { what: 'less than its shape', said: but('length', '4'), says: /by its shape/ },
] satisfies { what: string; said: Said; says: RegExp }[])('refuses a tensor that stands in $what', ({ said, says }) => {
  const refused = expect.objectContaining({ code: 'UND-ARTIFACT', message: expect.stringMatching(says) });
  expect(() => checkOutsideWeights(asWeight(said), bytes)).toThrow(refused);
  // Whether it says that it does, or only where.
  expect(() => checkOutsideWeights(asWeight(said, false), bytes)).toThrow(refused);
});

it('refuses what stands outside where nothing is there, and what says so without saying where', () => {
  expect(() => checkOutsideWeights(asWeight(ours), undefined)).toThrow(/recommend.weights, which is not there/);
  expect(() => checkOutsideWeights(asWeight([]), bytes)).toThrow(/stands in ""/);
});

it.each([
  ['a weight', [5, 7]],
  ['a constant', [5, 5, 1, 7]],
  ['one of several constants', [10, 5, 1, 7]],
  ['the values of a sparse weight', [1, 15, 7]],
  ['the places of a sparse constant', [2, 22, 5, 1, 7]],
  ['a weight of a branch', [5, 6, 5, 1, 7]],
  ['a constant of a branch of a branch', [5, 5, 1, 6, 5, 1, 11, 5, 1, 7]],
  ['a constant of a function', [5, 5, 7, 25]],
  ['what a function is given', [5, 11, 25]],
  ['what training begins from', [5, 1, 20]],
] as const)('finds it in %s', (_, fields) => {
  const model = wrapped(tensorOf(but('location', '/etc/passwd')), fields);
  expect(() => checkOutsideWeights(model, bytes)).toThrow(/stands in "\/etc\/passwd"/);
  // Two parts of one message are one to whoever reads it.
  expect(() => checkOutsideWeights(Buffer.concat([graphOf(3).bytes, model]), bytes)).toThrow(/stands in "\/etc\/passwd"/);
});

it('refuses what is no graph', () => {
  expect(() => checkOutsideWeights(graphOf(rows).bytes.subarray(0, 60), bytes)).toThrow(expect.objectContaining({ code: 'UND-ARTIFACT' }));
});
