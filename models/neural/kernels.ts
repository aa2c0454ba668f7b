import * as wasm from './wasm-code.ts';
import { type Code, get, i32, type Local, Locals, set } from './wasm-code.ts';

/** Addresses are bytes in the memory, and so are distances between rows and steps. */
export type Kernels = {
  /**
   * C [m, n] (+)= A [m, k] B [k, n]. A's element (i, p) stands at `a + i aRow + p aStep`, so that A can as well be read across; rows of B and of C are
   * contiguous. n is a multiple of 8, k at least 1. With `fresh` 1 C is written, with 0 added to.
   */
  matmul(a: number, aRow: number, aStep: number, b: number, bRow: number, c: number, cRow: number, m: number, n: number, k: number, fresh: number): void;
  /** `largest` [rows] becomes the larger of what stands there and the largest of the row. `columns` is a multiple of 4, and at least 4. */
  rowMax(x: number, xRow: number, rows: number, columns: number, largest: number): void;
  /** x becomes exp(x - shift [row]), which must be 88 at most; what a row then sums to is added to `sums` [row]. `columns` as in rowMax. */
  rowExp(x: number, xRow: number, rows: number, columns: number, shift: number, sums: number): void;
};

type Named = Readonly<Record<string, Local>>;

function functionOf(name: string, params: readonly string[], write: (p: Named, locals: Locals) => Code): wasm.WasmFunction {
  const locals = new Locals(params.map(() => 'i32'));
  const body = write(Object.fromEntries(params.map((param, index) => [param, { index }])), locals);
  return { name, locals, body };
}

const tileRows = 4;
const bytesPerFloat = 4;
const vectorBytes = 16;
/** Two vectors. */
const tileColumns = 8;

/** For each 8 columns, for each 4 rows: eight sums that stay in registers while k runs. */
const matmul = functionOf('matmul', ['a', 'aRow', 'aStep', 'b', 'bRow', 'c', 'cRow', 'm', 'n', 'k', 'fresh'], (p, locals) => {
  const [rowsLeft, columnsLeft, steps, pb, pc, pa] = (['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const).map((type) => locals.add(type)) as Local[];
  const [b0, b1] = [locals.add('v128'), locals.add('v128')];
  const ofRow = Array.from({ length: tileRows }, () => ({
    ...{ pointer: locals.add('i32'), value: locals.add('v128'), sums: [locals.add('v128'), locals.add('v128')] as const },
  }));
  const tile = (height: number): Code => {
    const rows = ofRow.slice(0, height);
    const cell = (row: number): Code => wasm.add(get(pc as Local), wasm.multiply(get(p.cRow as Local), i32(row)));
    const finish = (of: (address: Code, offset: number, sum: Local) => Code): Code =>
      rows.flatMap(({ sums }, row) => sums.map((sum, half) => wasm.store4(cell(row), of(cell(row), half * vectorBytes, sum), half * vectorBytes)));
    return [
      rows.map(({ pointer, sums }, row) => [
        set(pointer, wasm.add(get(pa as Local), wasm.multiply(get(p.aRow as Local), i32(row)))),
        sums.map((sum) => set(sum, wasm.constant4(0))),
      ]),
      set(pb as Local, get(p.b as Local)),
      set(steps as Local, get(p.k as Local)),
      wasm.repeat(steps as Local, [
        set(b0, wasm.load4(get(pb as Local))),
        set(b1, wasm.load4(get(pb as Local), vectorBytes)),
        rows.map(({ pointer, value, sums }) => [
          set(value, wasm.loadSplat(get(pointer))),
          set(sums[0], wasm.multiplyAdd4(get(value), get(b0), get(sums[0]))),
          set(sums[1], wasm.multiplyAdd4(get(value), get(b1), get(sums[1]))),
          wasm.advance(pointer, get(p.aStep as Local)),
        ]),
        wasm.advance(pb as Local, get(p.bRow as Local)),
      ]),
      wasm.branchIf(
        get(p.fresh as Local),
        finish((_address, _offset, sum) => get(sum)),
        finish((address, offset, sum) => wasm.add4(wasm.load4(address, offset), get(sum))),
      ),
      wasm.advance(pa as Local, wasm.multiply(get(p.aRow as Local), i32(height))),
      wasm.advance(pc as Local, wasm.multiply(get(p.cRow as Local), i32(height))),
      wasm.advance(rowsLeft as Local, i32(-height)),
    ];
  };
  return [
    set(columnsLeft as Local, get(p.n as Local)),
    wasm.whileAtMost(i32(tileColumns), get(columnsLeft as Local), [
      set(pa as Local, get(p.a as Local)),
      set(pc as Local, get(p.c as Local)),
      set(rowsLeft as Local, get(p.m as Local)),
      wasm.whileAtMost(i32(tileRows), get(rowsLeft as Local), tile(tileRows)),
      wasm.whileAtMost(i32(1), get(rowsLeft as Local), tile(1)),
      wasm.advance(p.b as Local, i32(tileColumns * bytesPerFloat)),
      wasm.advance(p.c as Local, i32(tileColumns * bytesPerFloat)),
      wasm.advance(columnsLeft as Local, i32(-tileColumns)),
    ]),
  ];
});

/** Goes over rows and, in each, over vectors. */
function overRows(p: Named, locals: Locals, parts: { begin: Code; each: (address: Local) => Code; end: Code }): Code {
  const [rowsLeft, vectors, at] = (['i32', 'i32', 'i32'] as const).map((type) => locals.add(type)) as [Local, Local, Local];
  return [
    set(rowsLeft, get(p.rows as Local)),
    wasm.whileAtMost(i32(1), get(rowsLeft), [
      set(at, get(p.x as Local)),
      set(vectors, wasm.quarter(get(p.columns as Local))),
      parts.begin,
      wasm.repeat(vectors, [parts.each(at), wasm.advance(at, i32(vectorBytes))]),
      parts.end,
      wasm.advance(p.x as Local, get(p.xRow as Local)),
      wasm.advance(rowsLeft, i32(-1)),
    ]),
  ];
}

const lanes = [0, 1, 2, 3];

const rowMax = functionOf('rowMax', ['x', 'xRow', 'rows', 'columns', 'largest'], (p, locals) => {
  const most = locals.add('v128');
  const largest = p.largest as Local;
  return overRows(p, locals, {
    begin: set(most, wasm.splat(wasm.loadFloat(get(largest)))),
    each: (at) => set(most, wasm.larger4(get(most), wasm.load4(get(at)))),
    end: [
      wasm.storeFloat(
        get(largest),
        lanes.map((index) => wasm.lane(get(most), index)).reduce((a, b) => wasm.largerFloat(a, b)),
      ),
      wasm.advance(largest, i32(bytesPerFloat)),
    ],
  });
});

/** ln 2 in two parts, so that n ln 2 can be taken off without loss. */
const [ln2High, ln2Low] = [0.693359375, -2.1219444e-4];
/** Of exp on -ln2/2 .. ln2/2: the Taylor series as far as single precision sees it. */
const series = [1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1, 1];
/** Below, exp counts for nothing beside the largest of its row; products of it with gradients would be denormal, which is slow. */
const lowest = -60;

const rowExp = functionOf('rowExp', ['x', 'xRow', 'rows', 'columns', 'shift', 'sums'], (p, locals) => {
  const [x, shift, power, rest, value, sum] = (['v128', 'v128', 'v128', 'v128', 'v128', 'v128'] as const).map((type) => locals.add(type)) as [
    ...[Local, Local, Local, Local, Local, Local],
  ];
  return overRows(p, locals, {
    begin: [set(shift, wasm.splat(wasm.loadFloat(get(p.shift as Local)))), set(sum, wasm.constant4(0))],
    each: (at) => [
      set(x, wasm.larger4(wasm.subtract4(wasm.load4(get(at)), get(shift)), wasm.constant4(lowest))),
      set(power, wasm.nearest4(wasm.multiply4(get(x), wasm.constant4(Math.LOG2E)))),
      set(rest, wasm.multiplyAdd4(get(power), wasm.constant4(-ln2High), get(x))),
      set(rest, wasm.multiplyAdd4(get(power), wasm.constant4(-ln2Low), get(rest))),
      set(value, wasm.constant4(series[0] as number)),
      series.slice(1).map((term) => set(value, wasm.multiplyAdd4(get(value), get(rest), wasm.constant4(term)))),
      // 2^n by its exponent's bits.
      set(value, wasm.multiply4(get(value), wasm.shiftLeft4(wasm.addWholes4(wasm.toWholes4(get(power)), wasm.wholes4(127)), 23))),
      wasm.store4(get(at), get(value)),
      set(sum, wasm.add4(get(sum), get(value))),
    ],
    end: [
      wasm.storeFloat(
        get(p.sums as Local),
        wasm.addFloats(
          wasm.loadFloat(get(p.sums as Local)),
          lanes.map((index) => wasm.lane(get(sum), index)).reduce((a, b) => wasm.addFloats(a, b)),
        ),
      ),
      wasm.advance(p.shift as Local, i32(bytesPerFloat)),
      wasm.advance(p.sums as Local, i32(bytesPerFloat)),
    ],
  });
});

// TypeScript knows WebAssembly as a part of the DOM only.
declare const WebAssembly: {
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  Instance: new (module: object, imports: { env: { memory: WasmMemory } }) => { exports: unknown };
  Memory: new (size: { initial: number; maximum: number }) => WasmMemory;
};
type WasmMemory = { readonly buffer: ArrayBuffer };

const pageBytes = 65536;
/** What 32 bits can address. */
export const mostMemoryBytes = 65535 * pageBytes;

let compiled: object | undefined;

/** The kernels over a memory of their own, all 0. It does not grow, so that arrays over it stay valid. */
export function openKernels(bytes: number): { kernels: Kernels; buffer: ArrayBuffer } {
  compiled ??= new WebAssembly.Module(wasm.wasmModule([matmul, rowMax, rowExp]));
  const pages = Math.ceil(bytes / pageBytes);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return { kernels: exports as Kernels, buffer: memory.buffer };
}
