import protobuf from 'protobufjs/minimal.js';
import { weightsFile } from '../contracts/artifact.ts';
import { UnderstudyError } from '../contracts/problem.ts';
import { graphWeight } from './graph-weights.ts';

/** Where tensors may stand in a message, by the field numbers of onnx.proto (ONNX 1.16). */
type Message = 'model' | 'graph' | 'node' | 'attribute' | 'tensor' | 'sparse' | 'function' | 'training';
const within: Readonly<Record<Exclude<Message, 'tensor'>, Readonly<Record<number, Message>>>> = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  function: { 7: 'node', 11: 'attribute' },
  training: { 1: 'graph', 2: 'graph' },
};
const [externalData, dataLocation] = [13, 14];

const refuse = (message: string): never => {
  throw new UnderstudyError('UND-ARTIFACT', message);
};

/**
 * Whether a graph keeps tensors in a file of its own. A graph that came from outside may name any file of the machine, or its memory, as the place of a
 * tensor, and whoever loads it reads that: so this is asked before.
 * @param weightsBytes size of the file `recommend.weights` beside it; absent: there is none
 * @throws UND-ARTIFACT where a tensor stands in another file than this one, or not within it; where it is no ONNX model
 */
export function checkOutsideWeights(model: Uint8Array, weightsBytes: number | undefined): boolean {
  try {
    let found = false;
    for (const tensor of tensorsIn(model, 'model')) found = checkTensor(tensor, weightsBytes) || found;
    return found;
  } catch (cause) {
    if (cause instanceof UnderstudyError) throw cause;
    throw new UnderstudyError('UND-ARTIFACT', 'The graph is no ONNX model', { cause });
  }
}

function* tensorsIn(message: Uint8Array, kind: Message): Generator<Uint8Array> {
  if (kind === 'tensor') return yield message;
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const inner = (tag & 7) === 2 ? within[kind][tag >>> 3] : undefined;
    if (inner === undefined) reader.skipType(tag & 7);
    else yield* tensorsIn(reader.bytes(), inner);
  }
}

function checkTensor(tensor: Uint8Array, weightsBytes: number | undefined): boolean {
  const reader = protobuf.Reader.create(tensor);
  const entries: { key: string; value: string }[] = [];
  let isOutside = false;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [field, wire] = [tag >>> 3, tag & 7];
    if (field === externalData && wire === 2) entries.push(entryOf(reader.bytes()));
    else if (field === dataLocation && wire === 0) isOutside = reader.int32() !== 0 || isOutside;
    else reader.skipType(wire);
  }
  if (!isOutside && entries.length === 0) return false;
  const said = Object.fromEntries(entries.map(({ key, value }) => [key, value]));
  const { name, bytes } = graphWeight(tensor);
  const at = `The tensor ${JSON.stringify(name)} of the graph`;
  // Said twice, it would depend on who reads it what is meant.
  if (Object.keys(said).length !== entries.length || entries.some(({ key }) => !['location', 'offset', 'length', 'checksum'].includes(key)))
    refuse(`${at} says in an unknown way where it stands`);
  if (said.location !== weightsFile) refuse(`${at} stands in ${JSON.stringify(said.location ?? '')}: only ${weightsFile} beside the graph may hold any`);
  if (weightsBytes === undefined) return refuse(`${at} stands in ${weightsFile}, which is not there`);
  const [offset, length] = [whole(said.offset ?? '0'), whole(said.length ?? String(bytes))];
  if (length !== bytes) refuse(`${at} has ${said.length} bytes in ${weightsFile}, and by its shape ${bytes}`);
  if (!(offset + length <= weightsBytes)) refuse(`${at} ends behind the end of ${weightsFile}, which has ${weightsBytes} bytes`);
  return true;
}

/** NaN where it is no whole number. */
const whole = (value: string): number => (/^\d{1,15}$/.test(value) ? Number(value) : Number.NaN);

function entryOf(message: Uint8Array): { key: string; value: string } {
  const reader = protobuf.Reader.create(message);
  const entry = { key: '', value: '' };
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1 && (tag & 7) === 2) entry.key = reader.string();
    else if (tag >>> 3 === 2 && (tag & 7) === 2) entry.value = reader.string();
    else reader.skipType(tag & 7);
  }
  return entry;
}
