import { UnderstudyError } from '../../models/contracts/problem.ts';
import { Gpu } from '../../models/gpu/gpu.ts';

/** What there is to train on, and how a training comes by it: each has a device of its own, so that one that was lost is not met again. */
export type GpuSource = {
  name: string /** It computes on the CPU: for tests. */;
  software: boolean;
  open: () => Promise<Gpu>;
  openDevice: () => Promise<GPUDevice>;
};

/** It and its adapters must outlive their devices, which do not hold them: the process would crash. */
let library: GPU | undefined;
const adapters = new WeakMap<GPUDevice, GPUAdapter>();

/**
 * The GPU of this machine, as WebGPU has it by the optional package `webgpu` (Dawn). A driver that fails may take the process with it: whoever only wants to
 * know asks in a process of its own (find-gpu.ts).
 * @throws UND-GPU-MISSING
 */
export async function findGpu(): Promise<GpuSource> {
  const webgpu = await import('webgpu').catch((cause) => {
    throw new UnderstudyError('UND-GPU-MISSING', 'The npm package webgpu is not installed, or not made for this machine', { cause });
  });
  library ??= webgpu.create([]);
  const gpu = library;
  const adapterOf = async (): Promise<GPUAdapter> => {
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (adapter === null) throw new UnderstudyError('UND-GPU-MISSING', 'WebGPU finds no GPU with a driver that it can use');
    return adapter;
  };
  const { info } = await adapterOf();
  const name = [info.vendor, info.device, info.description].filter((part) => part !== '').join(' ');
  const software = /swiftshader|llvmpipe|lavapipe|warp/i.test(`${info.architecture} ${name}`);
  const openDevice = async () => {
    const adapter = await adapterOf();
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
    adapters.set(device, adapter);
    return device;
  };
  return { name, software, openDevice, open: async () => new Gpu({ device: await openDevice(), name }) };
}
