import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Gpu } from '../../models/gpu/gpu.ts';
import type { TrainRequest } from '../api.ts';
import type { Context } from '../context.ts';

/**
 * A device of the worker's GPU for as long as the work goes on, where the training was sent to one.
 * @throws UND-GPU-MISSING where the worker has none, UND-GPU-LOST
 */
export async function withGpu<T>({ gpu: source }: Context, { device, candidate }: TrainRequest, work: (gpu: Gpu | undefined) => Promise<T>): Promise<T> {
  if (device === undefined) return work(undefined);
  if (source === undefined) throw new UnderstudyError('UND-GPU-MISSING', `${candidate} was sent to a worker that has no GPU`);
  const gpu = await source.open();
  try {
    return await work(gpu);
  } finally {
    gpu.close();
  }
}
