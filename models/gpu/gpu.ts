/// <reference types="@webgpu/types" />
import { UnderstudyError } from '../contracts/problem.ts';

/** What lies in the memory of a GPU, in elements of 4 bytes. */
export type GpuArray = { readonly buffer: GPUBuffer; readonly length: number };
export type Elements = Float32Array | Uint32Array | Int32Array;

/** Compute code, and the arrays that it is bound to in the order of its bindings. */
export type Kernel = { pipeline: GPUComputePipeline; group: GPUBindGroup };
/** `groups`: of work, in up to three directions. */
export type Dispatch = { kernel: Kernel; groups: readonly [number, number?, number?] };

/** Values of GPUBufferUsage and GPUMapMode: where there is no browser, nobody defines them. */
const usages = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128 };
const mapRead = 1;
const bytesPerElement = 4;
const filters = ['out-of-memory', 'validation', 'internal'] as const;
const giga = 2 ** 30;

/** A GPU that WebGPU gives, for one training. What it does comes out the same each time, on the same GPU by the same driver. */
export class Gpu {
  /** As the driver names it. */
  readonly name: string;
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, GPUComputePipeline>();
  readonly #lost: Promise<never>;
  #closed = false;

  constructor({ device, name }: { device: GPUDevice; name: string }) {
    this.name = name;
    this.#device = device;
    this.#lost = device.lost.then(({ message }) => {
      throw new UnderstudyError('UND-GPU-LOST', `The GPU ${name} was lost: ${message || 'its driver does not say why'}`);
    });
    // Who waits for the GPU hears of it; where nobody does, there is nothing to be done about it.
    this.#lost.catch(() => undefined);
    this.#watch();
  }

  /** Of one array. */
  get mostBytes(): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    return Math.min(maxBufferSize, maxStorageBufferBindingSize);
  }

  /**
   * All 0.
   * @param what it holds, and `fits` how to make it smaller, for whoever reads the error
   * @throws UND-GPU-MEMORY where it is more than an array of this GPU can hold
   */
  array(length: number, { what, fits }: { what: string; fits: (share: number) => string }): GpuArray {
    const bytes = Math.max(1, length) * bytesPerElement;
    if (bytes > this.mostBytes) throw this.#tooLarge({ what, bytes, fits: fits(this.mostBytes / bytes) });
    const buffer = this.#device.createBuffer({ size: bytes, usage: usages.storage | usages.copySource | usages.copyTarget });
    return { buffer, length };
  }

  arrayOf(values: Elements, about: { what: string; fits: (share: number) => string }): GpuArray {
    const made = this.array(values.length, about);
    this.write(made, values);
    return made;
  }

  /** @param at element where it begins */
  write({ buffer }: GpuArray, values: Elements, at = 0): void {
    // What threads share is not taken: a copy is.
    const { buffer: bytes, byteOffset } = values.buffer instanceof ArrayBuffer ? values : values.slice();
    this.#device.queue.writeBuffer(buffer, at * bytesPerElement, bytes as ArrayBuffer, byteOffset, values.byteLength);
  }

  /** @param code WGSL with an entry point `main`, all arrays of which are in group 0 */
  kernel(code: string, arrays: readonly GpuArray[]): Kernel {
    let pipeline = this.#pipelines.get(code);
    if (pipeline === undefined) {
      pipeline = this.#device.createComputePipeline({ layout: 'auto', compute: { module: this.#device.createShaderModule({ code }), entryPoint: 'main' } });
      this.#pipelines.set(code, pipeline);
    }
    const entries = arrays.map(({ buffer }, binding) => ({ binding, resource: { buffer } }));
    return { pipeline, group: this.#device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }) };
  }

  /** Makes them 0. */
  clear(arrays: readonly GpuArray[]): void {
    const encoder = this.#device.createCommandEncoder();
    for (const { buffer } of arrays) encoder.clearBuffer(buffer);
    this.#device.queue.submit([encoder.finish()]);
  }

  /** One after the other: each sees what those before it have written. Does not wait for them. */
  run(dispatches: readonly Dispatch[]): void {
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const { kernel, groups } of dispatches) {
      // Of nothing there is nothing to do, and Dawn warns of it.
      if (groups.includes(0)) continue;
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, kernel.group);
      pass.dispatchWorkgroups(...groups);
    }
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
  }

  /**
   * Waits for all that was asked for.
   * @throws UND-GPU-LOST, UND-GPU-MEMORY
   */
  async done(): Promise<void> {
    await this.#orLost(this.#device.queue.onSubmittedWorkDone());
    await this.#check();
  }

  /**
   * Waits for all that was asked for, and fetches what these arrays hold then.
   * @throws UND-GPU-LOST, UND-GPU-MEMORY
   */
  async read(wanted: readonly { from: GpuArray; into: Elements }[]): Promise<void> {
    const encoder = this.#device.createCommandEncoder();
    const copies = wanted.map(({ from, into }) => {
      const size = into.byteLength;
      const copy = this.#device.createBuffer({ size: Math.max(bytesPerElement, size), usage: usages.mapRead | usages.copyTarget });
      if (size > 0) encoder.copyBufferToBuffer(from.buffer, 0, copy, 0, size);
      return { copy, into, size };
    });
    this.#device.queue.submit([encoder.finish()]);
    await this.#check();
    for (const { copy, into, size } of copies) {
      await this.#orLost(copy.mapAsync(mapRead));
      new Uint8Array(into.buffer, into.byteOffset, size).set(new Uint8Array(copy.getMappedRange(0, Math.max(bytesPerElement, size)), 0, size));
      copy.destroy();
    }
  }

  /** Gives its memory back. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#device.destroy();
  }

  #orLost<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#lost]);
  }

  #watch(): void {
    for (const filter of filters) this.#device.pushErrorScope(filter);
  }

  /** What went wrong since it was last asked, as WebGPU tells it: never where it happens. */
  async #check(): Promise<void> {
    const said = await this.#orLost(Promise.all(filters.toReversed().map(() => this.#device.popErrorScope())));
    this.#watch();
    const [internal, invalid, memory] = said;
    if (memory) throw new UnderstudyError('UND-GPU-MEMORY', `The GPU ${this.name} has not the memory that training takes: ${memory.message}`);
    const error = invalid ?? internal;
    if (error) throw new Error(`The GPU ${this.name} refused: ${error.message}`);
  }

  #tooLarge({ what, bytes, fits }: { what: string; bytes: number; fits: string }): UnderstudyError {
    const size = (count: number) => `${(count / giga).toFixed(2)} GiB`;
    return new UnderstudyError(
      'UND-GPU-MEMORY',
      `${what} would take ${size(bytes)}, and an array on the GPU ${this.name} can be ${size(this.mostBytes)} at most: ${fits}`,
    );
  }
}
