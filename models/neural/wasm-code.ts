/**
 * Just enough of WebAssembly's binary format to write the few loops in which training spends its time (kernels.ts). An instruction with what it works on
 * is a nested list of bytes, so that code is put together as expressions are.
 * https://webassembly.github.io/spec/core/binary/, with vectors of 128 bits.
 */
export type Code = readonly (number | Code)[];
export type ValueType = 'i32' | 'f32' | 'v128';
export type Local = { readonly index: number };

const typeBytes = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;

/** Whole numbers in as few bytes as they need (LEB128). */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return [...bytes, rest];
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

const vector = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
const float32Bytes = (value: number): number[] => [...new Uint8Array(Float32Array.of(value).buffer)];

export const i32 = (value: number): Code => [0x41, ...signed(value)];
export const get = (local: Local): Code => [0x20, ...unsigned(local.index)];
export const set = (local: Local, value: Code): Code => [value, 0x21, ...unsigned(local.index)];
export const add = (a: Code, b: Code): Code => [a, b, 0x6a];
export const multiply = (a: Code, b: Code): Code => [a, b, 0x6c];
/** A fourth of an unsigned number, rounded down. */
export const quarter = (a: Code): Code => [a, i32(2), 0x76];
/** `local += value` */
export const advance = (local: Local, value: Code): Code => set(local, add(get(local), value));
export const branchIf = (condition: Code, then: Code, otherwise: Code = []): Code => [condition, 0x04, 0x40, then, 0x05, otherwise, 0x0b];
/** While `a <= b`, as signed numbers. */
export const whileAtMost = (a: Code, b: Code, body: Code): Code => [0x02, 0x40, 0x03, 0x40, a, b, 0x4a, 0x0d, 1, body, 0x0c, 0, 0x0b, 0x0b];
/** `body` as often as `times` says, which must be 1 or more; `times` counts down to 0. */
export const repeat = (times: Local, body: Code): Code => [0x03, 0x40, body, set(times, [get(times), i32(1), 0x6b]), get(times), 0x0d, 0, 0x0b];

export const f32 = (value: number): Code => [0x43, ...float32Bytes(value)];
export const loadFloat = (address: Code, offset = 0): Code => [address, 0x2a, 2, ...unsigned(offset)];
export const storeFloat = (address: Code, value: Code, offset = 0): Code => [address, value, 0x38, 2, ...unsigned(offset)];
export const addFloats = (a: Code, b: Code): Code => [a, b, 0x92];
export const largerFloat = (a: Code, b: Code): Code => [a, b, 0x97];

const four = [0, 1, 2, 3];
/** The same number in all four lanes. */
export const constant4 = (value: number): Code => [vector(12), four.flatMap(() => float32Bytes(value))];
export const wholes4 = (value: number): Code => [vector(12), four.flatMap(() => [...new Uint8Array(Int32Array.of(value).buffer)])];
export const load4 = (address: Code, offset = 0): Code => [address, vector(0), 4, ...unsigned(offset)];
export const store4 = (address: Code, value: Code, offset = 0): Code => [address, value, vector(11), 4, ...unsigned(offset)];
export const loadSplat = (address: Code, offset = 0): Code => [address, vector(9), 2, ...unsigned(offset)];
export const splat = (value: Code): Code => [value, vector(19)];
export const lane = (value: Code, index: number): Code => [value, vector(31), index];
export const add4 = (a: Code, b: Code): Code => [a, b, vector(228)];
export const subtract4 = (a: Code, b: Code): Code => [a, b, vector(229)];
export const multiply4 = (a: Code, b: Code): Code => [a, b, vector(230)];
export const larger4 = (a: Code, b: Code): Code => [a, b, vector(233)];
export const nearest4 = (a: Code): Code => [a, vector(106)];
export const toWholes4 = (a: Code): Code => [a, vector(248)];
export const addWholes4 = (a: Code, b: Code): Code => [a, b, vector(174)];
export const shiftLeft4 = (a: Code, bits: number): Code => [a, i32(bits), vector(171)];
/**
 * a b + c, rounded twice: the same bits on every machine. The relaxed instruction, which rounds once where the processor can, makes matrix products a
 * fifth faster and a model that depends on where it was trained.
 */
export const multiplyAdd4 = (a: Code, b: Code, c: Code): Code => add4(multiply4(a, b), c);

/** The parameters and locals of one function; parameters come first. */
export class Locals {
  readonly params: number;
  readonly #types: ValueType[];

  constructor(params: readonly ValueType[]) {
    this.params = params.length;
    this.#types = [...params];
  }

  param(index: number): Local {
    return { index };
  }

  add(type: ValueType): Local {
    return { index: this.#types.push(type) - 1 };
  }

  get types(): readonly ValueType[] {
    return this.#types;
  }
}

export type WasmFunction = { name: string; locals: Locals; body: Code };

function flatten(code: Code, into: number[] = []): number[] {
  for (const one of code) {
    if (typeof one === 'number') into.push(one);
    else flatten(one, into);
  }
  return into;
}

const counted = (items: readonly Code[]): Code => [unsigned(items.length), items];
const sized = (content: Code): Code => {
  const bytes = flatten(content);
  return [unsigned(bytes.length), bytes];
};
const named = (text: string): Code => [unsigned(text.length), [...Buffer.from(text)]];

/** A module of functions that give nothing back and work on the memory `env.memory`, which is passed in. */
export function wasmModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const signature = ({ locals }: WasmFunction): Code => [0x60, counted(locals.types.slice(0, locals.params).map((type) => [typeBytes[type]])), 0];
  const body = ({ locals, body: code }: WasmFunction): Code =>
    sized([counted(locals.types.slice(locals.params).map((type) => [1, typeBytes[type]])), code, 0x0b]);
  const section = (id: number, content: Code): Code => [id, sized(content)];
  return Uint8Array.from(
    flatten([
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, counted(functions.map(signature))),
      section(2, counted([[named('env'), named('memory'), 2, 0, 0]])),
      section(3, counted(functions.map((_, index) => unsigned(index)))),
      section(7, counted(functions.map(({ name }, index) => [named(name), 0, unsigned(index)]))),
      section(10, counted(functions.map(body))),
    ]),
  );
}
