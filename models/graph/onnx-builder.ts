import protobuf from 'protobufjs/minimal.js';
import { weightsFile } from '../contracts/artifact.ts';

/**
 * Writes ONNX models. The field numbers are those of onnx.proto (ONNX 1.16, IR version 9). The bytes depend on the calls alone:
 * values are named by their order, initializers and nodes stand in the order they were added.
 */

const irVersion = 9;
const opsetVersion = 18;
/** Of every other domain; `com.microsoft` has had this one only. */
const extraOpsetVersion = 1;

/** As ONNX numbers them: what `Cast` is given. */
export const elementCodes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 } as const;
export type ElementType = keyof typeof elementCodes;

/** Fixed sizes, or the names of free dimensions. */
export type Shape = readonly (number | string)[];
/** Something a node gives or takes. Only its name matters to ONNX. */
export type Value = { readonly name: string };
export type AttributeValue = { int: number } | { ints: readonly number[] } | { float: number } | { string: string } | { graph: Uint8Array };
/** int64 is given as plain whole numbers. */
export type ConstantData = Float32Array | Int32Array | Uint8Array | readonly number[];

/** A ModelProto, and the file beside it that holds its large tensors, where it has any: under the name `weightsFile`. */
export type GraphBytes = { bytes: Uint8Array; weights?: Uint8Array | undefined };

/** Tensors from here on stand outside: from a file they are mapped into memory, which all sessions share, and of any size. */
const outsideFromBytes = 65_536;
/** Where each of them begins: at a page, as mapping asks. */
const pageBytes = 4096;

type Writer = protobuf.Writer;

export class OnnxBuilder {
  readonly #name: string;
  readonly #inputs: Uint8Array[] = [];
  readonly #outputs: Uint8Array[] = [];
  readonly #initializers: Uint8Array[] = [];
  #nodes: Uint8Array[] = [];
  readonly #outside: { data: Uint8Array; offset: number }[] = [];
  #outsideBytes = 0;
  readonly #scalars = new Map<string, Value>();
  /** Of operators that are not ONNX's own, by name. */
  readonly #domains = new Set<string>();
  #values = 0;

  constructor({ name }: { name: string }) {
    this.#name = name;
  }

  input({ name, type, shape }: { name: string; type: ElementType; shape: Shape }): Value {
    this.#inputs.push(valueInfo(name, type, shape));
    return { name };
  }

  /** Names a value as an output of the graph. */
  output({ name, type, shape, value }: { name: string; type: ElementType; shape: Shape; value: Value }): void {
    this.#nodes.push(node('Identity', [value], [{ name }], {}));
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** An initializer. `data` is in row-major order. */
  constant(data: ConstantData, shape: readonly number[], name = this.#nextName()): Value {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    if (size !== data.length) throw new RangeError(`constant ${name}: ${data.length} numbers do not fill the shape [${shape.join(', ')}]`);
    const bytes = littleEndianBytes(data);
    const place = bytes.length < outsideFromBytes ? undefined : this.#putOutside(bytes);
    this.#initializers.push(tensor({ name, type: elementTypeOf(data), shape, bytes, place }));
    return { name };
  }

  #putOutside(data: Uint8Array): Place {
    const offset = Math.ceil(this.#outsideBytes / pageBytes) * pageBytes;
    this.#outside.push({ data, offset });
    this.#outsideBytes = offset + data.length;
    return { offset, length: data.length };
  }

  /** A one-element int64 tensor [1]; asked for twice, it stands once in the file. */
  int64(value: number): Value {
    return this.#shared(`i${value}`, () => this.constant([value], [1]));
  }

  /** A scalar float32 tensor []; asked for twice, it stands once in the file. */
  float32(value: number): Value {
    return this.#shared(`f${value}`, () => this.constant(Float32Array.of(value), []));
  }

  /** Adds a node with one output. An operator that is not ONNX's own is named with its domain, `com.microsoft.MatMulNBits`. */
  node(operator: string, inputs: readonly Value[], attributes: Readonly<Record<string, AttributeValue>> = {}): Value {
    return this.nodes(operator, inputs, 1, attributes)[0] as Value;
  }

  /** Adds a node with several outputs. */
  nodes(operator: string, inputs: readonly Value[], outputs: number, attributes: Readonly<Record<string, AttributeValue>> = {}): Value[] {
    const values = Array.from({ length: outputs }, () => ({ name: this.#nextName() }));
    const domain = domainOf(operator);
    if (domain !== '') this.#domains.add(domain);
    this.#nodes.push(node(operator, inputs, values, attributes));
    return values;
  }

  /**
   * A branch of `If`: the nodes that `make` adds stand in it, and what it gives is what the branch gives. They may take any value there was before;
   * constants stand in the whole graph.
   */
  branch(make: () => readonly { value: Value; type: ElementType; shape: Shape }[]): AttributeValue {
    const outside = this.#nodes;
    this.#nodes = [];
    try {
      const outputs = make();
      const graph = protobuf.Writer.create();
      for (const bytes of this.#nodes) graph.uint32(tag(1)).bytes(bytes);
      graph.uint32(tag(2)).string(this.#nextName());
      for (const { value, type, shape } of outputs) graph.uint32(tag(12)).bytes(valueInfo(value.name, type, shape));
      return { graph: graph.finish() };
    } finally {
      this.#nodes = outside;
    }
  }

  build(): GraphBytes {
    const graph = protobuf.Writer.create();
    for (const bytes of this.#nodes) graph.uint32(tag(1)).bytes(bytes);
    graph.uint32(tag(2)).string(this.#name);
    for (const bytes of this.#initializers) graph.uint32(tag(5)).bytes(bytes);
    for (const bytes of this.#inputs) graph.uint32(tag(11)).bytes(bytes);
    for (const bytes of this.#outputs) graph.uint32(tag(12)).bytes(bytes);

    const model = protobuf.Writer.create();
    model.uint32(tag(1, 'varint')).int64(irVersion);
    model.uint32(tag(2)).string('understudy');
    model.uint32(tag(7)).bytes(graph.finish());
    model.uint32(tag(8)).fork().uint32(tag(2, 'varint')).int64(opsetVersion).ldelim();
    for (const domain of this.#domains) model.uint32(tag(8)).fork().uint32(tag(1)).string(domain).uint32(tag(2, 'varint')).int64(extraOpsetVersion).ldelim();
    const bytes = Uint8Array.from(model.finish());
    if (this.#outside.length === 0) return { bytes };
    const weights = new Uint8Array(this.#outsideBytes);
    for (const { data, offset } of this.#outside) weights.set(data, offset);
    return { bytes, weights };
  }

  #nextName(): string {
    this.#values += 1;
    return `v${this.#values}`;
  }

  #shared(key: string, make: () => Value): Value {
    const known = this.#scalars.get(key) ?? make();
    this.#scalars.set(key, known);
    return known;
  }
}

const wireTypes = { varint: 0, length: 2, fixed32: 5 } as const;

function tag(field: number, wire: keyof typeof wireTypes = 'length'): number {
  return (field << 3) | wireTypes[wire];
}

function node(operator: string, inputs: readonly Value[], outputs: readonly Value[], attributes: Readonly<Record<string, AttributeValue>>): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const input of inputs) writer.uint32(tag(1)).string(input.name);
  for (const output of outputs) writer.uint32(tag(2)).string(output.name);
  writer.uint32(tag(4)).string(operator.slice(operator.lastIndexOf('.') + 1));
  for (const name of Object.keys(attributes).sort()) attribute(writer.uint32(tag(5)).fork(), name, attributes[name] as AttributeValue).ldelim();
  const domain = domainOf(operator);
  if (domain !== '') writer.uint32(tag(7)).string(domain);
  return writer.finish();
}

const attributeTypes = { float: 1, int: 2, string: 3, graph: 5, ints: 7 } as const;

/** '' where it is ONNX's own. */
function domainOf(operator: string): string {
  return operator.slice(0, Math.max(0, operator.lastIndexOf('.')));
}

function attribute(writer: Writer, name: string, value: AttributeValue): Writer {
  writer.uint32(tag(1)).string(name);
  let type: number;
  if ('float' in value) {
    writer.uint32(tag(2, 'fixed32')).float(value.float);
    type = attributeTypes.float;
  } else if ('int' in value) {
    writer.uint32(tag(3, 'varint')).int64(value.int);
    type = attributeTypes.int;
  } else if ('string' in value) {
    writer.uint32(tag(4)).string(value.string);
    type = attributeTypes.string;
  } else if ('graph' in value) {
    writer.uint32(tag(6)).bytes(value.graph);
    type = attributeTypes.graph;
  } else {
    for (const one of value.ints) writer.uint32(tag(8, 'varint')).int64(one);
    type = attributeTypes.ints;
  }
  return writer.uint32(tag(20, 'varint')).int32(type);
}

/** Of bytes in the file beside the graph. */
type Place = { offset: number; length: number };
type TensorInput = { name: string; type: ElementType; shape: readonly number[]; bytes: Uint8Array; place: Place | undefined };

function tensor({ name, type, shape, bytes, place }: TensorInput): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const dimension of shape) writer.uint32(tag(1, 'varint')).int64(dimension);
  writer.uint32(tag(2, 'varint')).int32(elementCodes[type]);
  writer.uint32(tag(8)).string(name);
  if (place === undefined) return writer.uint32(tag(9)).bytes(bytes).finish();
  for (const [key, value] of Object.entries({ location: weightsFile, ...place }))
    writer.uint32(tag(13)).fork().uint32(tag(1)).string(key).uint32(tag(2)).string(String(value)).ldelim();
  return writer.uint32(tag(14, 'varint')).int32(externalLocation).finish();
}

/** As onnx.proto numbers it (TensorProto.DataLocation). */
const externalLocation = 1;

function elementTypeOf(data: ConstantData): ElementType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int32Array) return 'int32';
  return data instanceof Uint8Array ? 'uint8' : 'int64';
}

/** ONNX asks for little-endian, which is what every platform ONNX Runtime ships for has in memory. */
function littleEndianBytes(data: ConstantData): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const wide = BigInt64Array.from(data, (value) => BigInt(value));
  return new Uint8Array(wide.buffer);
}

function valueInfo(name: string, type: ElementType, shape: Shape): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(tag(1)).string(name);
  const tensorType = writer.uint32(tag(2)).fork().uint32(tag(1)).fork();
  tensorType.uint32(tag(1, 'varint')).int32(elementCodes[type]);
  const dimensions = tensorType.uint32(tag(2)).fork();
  for (const dimension of shape) {
    dimensions.uint32(tag(1)).fork();
    if (typeof dimension === 'number') dimensions.uint32(tag(1, 'varint')).int64(dimension);
    else dimensions.uint32(tag(2)).string(dimension);
    dimensions.ldelim();
  }
  dimensions.ldelim().ldelim().ldelim();
  return writer.finish();
}
