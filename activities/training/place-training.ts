import type { FoundGpu, GpuRule, Placed } from '../../models/contracts/gpu-job.ts';
import { taskQueues } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';

/**
 * Where a training that asks for a GPU goes, once it is known whether a worker with one is there.
 * @throws UND-GPU-MISSING where there is none and nothing may take its place
 */
export function placeTraining({ candidate, rule, gpu }: { candidate: string; rule: GpuRule; gpu: FoundGpu | null }): Placed {
  if (gpu !== null) return { device: 'gpu', why: `on the GPU ${gpu.name}` };
  const nobody = `no worker with a GPU answers on the task queue ${taskQueues.gpu}`;
  switch (rule.without) {
    case 'wait':
      return { device: 'wait', why: `${nobody}, and the charter says to wait for one` };
    case 'fail':
      throw new UnderstudyError('UND-GPU-MISSING', `${candidate} was trained on a GPU, and ${nobody}`);
    case 'cpu':
      return { device: 'cpu', why: `${nobody}, and the charter says to train on the CPU then` };
  }
}
