import { createHash } from 'node:crypto';
import { digestBytes, digestJson } from '../contracts/digest.ts';
import { UnderstudyError } from '../contracts/problem.ts';
import type { Interactions } from './algorithm.ts';

type NumberArray = Float32Array | Float64Array | Int32Array | Uint32Array;
const arrayTypes = { Float32Array, Float64Array, Int32Array, Uint32Array } as const;
type ArrayTypeName = keyof typeof arrayTypes;

/** What training had when it stopped: steps done, and the arrays that the next step reads. */
export type Checkpoint = { done: number; arrays: Record<string, NumberArray> };

/** Names one training run: the same algorithm, parameters, seed and interactions give the same string. */
export function runFingerprint({
  algorithm,
  params,
  seed,
  interactions,
}: {
  algorithm: string;
  params: unknown;
  seed: number;
  interactions: Interactions;
}): string {
  const { userCount, itemCount, indptr, items, weights, atMs } = interactions;
  const hash = createHash('sha256');
  for (const array of [indptr, items, weights, atMs]) hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return digestJson({ algorithm, params, seed, userCount, itemCount, data: hash.digest('hex') });
}

/** Header length (4 bytes), JSON header, then the arrays in the header's order. */
export function packCheckpoint({ fingerprint, done, arrays }: Checkpoint & { fingerprint: string }): Uint8Array {
  const named = Object.entries(arrays);
  const body = Buffer.concat(named.map(([, array]) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)));
  const layout = named.map(([name, array]) => ({ name, type: array.constructor.name, length: array.length }));
  const header = Buffer.from(JSON.stringify({ fingerprint, done, layout, body: digestBytes(body) }));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(header.length);
  return Uint8Array.from(Buffer.concat([size, header, body]));
}

/** @throws UND-DIGEST when the bytes are damaged, UND-INPUT when they belong to another run. */
export function unpackCheckpoint(bytes: Uint8Array, fingerprint: string): Checkpoint {
  const { header, body } = readParts(bytes);
  if (header.fingerprint !== fingerprint)
    throw new UnderstudyError('UND-INPUT', 'The checkpoint is of another run: its data, parameters, seed or algorithm differ');
  const arrays: Record<string, NumberArray> = {};
  let offset = 0;
  for (const { name, type, length } of header.layout) {
    const size = length * arrayTypes[type].BYTES_PER_ELEMENT;
    // A copy, so that the array begins where its element size asks for.
    arrays[name] = new arrayTypes[type](body.slice(offset, offset + size).buffer as ArrayBuffer);
    offset += size;
  }
  return { done: header.done, arrays };
}

type Header = { fingerprint: string; done: number; layout: { name: string; type: ArrayTypeName; length: number }[]; body: string };

function readParts(bytes: Uint8Array): { header: Header; body: Uint8Array } {
  try {
    const size = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
    const header = JSON.parse(Buffer.from(bytes.subarray(4, 4 + size)).toString('utf8')) as Header;
    const body = new Uint8Array(bytes.subarray(4 + size));
    if (digestBytes(body) === header.body) return { header, body };
  } catch (error) {
    throw new UnderstudyError('UND-DIGEST', 'The checkpoint cannot be read', { cause: error });
  }
  throw new UnderstudyError('UND-DIGEST', 'The checkpoint is damaged: its bytes do not match their digest');
}

/** Lets timers and sockets of the process have their turn during long loops: heartbeats are sent, cancellation is heard. */
export function giveWay(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
