import protobuf from 'protobufjs/minimal.js';
import { UnderstudyError } from '../contracts/problem.ts';

export type GraphWeight = { name: string; type: string; shape: number[]; bytes: number };

/** As ONNX numbers them (onnx.proto, TensorProto.DataType), with the bytes of one number. */
const types: Readonly<Record<number, [name: string, bytes: number]>> = {
  1: ['float32', 4],
  2: ['uint8', 1],
  3: ['int8', 1],
  6: ['int32', 4],
  7: ['int64', 8],
  9: ['bool', 1],
  10: ['float16', 2],
  11: ['float64', 8],
  16: ['bfloat16', 2],
  21: ['uint4', 0.5],
  22: ['int4', 0.5],
};

/**
 * The numbers that a graph holds, itself or in the file beside it, in the order in which they stand in it.
 * @throws UND-ARTIFACT where it is no ONNX model
 */
export function graphWeights(model: Uint8Array): GraphWeight[] {
  try {
    return fieldsOf(model, 7).flatMap((graph) => fieldsOf(graph, 5).map(graphWeight));
  } catch (cause) {
    throw new UnderstudyError('UND-ARTIFACT', 'The graph is no ONNX model', { cause });
  }
}

/** All that stands under a number in a message, as bytes. */
function fieldsOf(message: Uint8Array, field: number): Uint8Array[] {
  const reader = protobuf.Reader.create(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === field && (tag & 7) === 2) found.push(reader.bytes());
    else reader.skipType(tag & 7);
  }
  return found;
}

/** @param tensor a TensorProto; a type that is not known has bytes of 0 */
export function graphWeight(tensor: Uint8Array): GraphWeight {
  const reader = protobuf.Reader.create(tensor);
  const weight = { name: '', shape: [] as number[] };
  let code = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [field, wire] = [tag >>> 3, tag & 7];
    if (field === 1 && wire === 0) weight.shape.push(Number(reader.int64()));
    else if (field === 1 && wire === 2) for (const end = reader.uint32() + reader.pos; reader.pos < end; ) weight.shape.push(Number(reader.int64()));
    else if (field === 2 && wire === 0) code = reader.int32();
    else if (field === 8 && wire === 2) weight.name = reader.string();
    else reader.skipType(wire);
  }
  const [type, size] = types[code] ?? [`type ${code}`, 0];
  return { ...weight, type, bytes: weight.shape.reduce((product, one) => product * one, size) };
}
