/* What is used of it; the compiler has its types with a browser's only. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Memory {
    readonly buffer: SharedArrayBuffer;
    constructor(descriptor: { initial: number; maximum: number; shared: true });
  }
  class Instance {
    readonly exports: object;
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
  }
}
