import { z } from 'zod';
import { indexConstraint, roundedWeights } from './artifact.ts';
import { machineName, taskQueueName } from './ids.ts';
import { tuningSearch, tuningSpace } from './tuning.ts';

/** One of the models that a charter has trained. */
export const candidate = z.strictObject({
  name: machineName,
  /** `popularity`, `item-knn`, `ials`, `embedding-knn`; `guest` (a model folder of your own, `params.folder`); or `trainer` (a worker of your own, `taskQueue`). */
  algorithm: machineName,
  params: z.record(z.string(), z.json()).default({}),
  /** Present: training begins from the newest earlier run of the same recipe, where there is one, with these parameters in place of those above. */
  warmStart: z.record(z.string(), z.json()).optional(),
  /** Present: the model is made over the vectors that the newest run of another candidate made. */
  embeddings: z.strictObject({ of: machineName }).optional(),
  /** Parameters to choose: on the window's validation part, by the gates' primary metric. Of lists of values all combinations are tried, unless `search` says less. */
  tune: tuningSpace.optional(),
  /** How `tune` is searched. */
  search: tuningSearch.optional(),
  /** Present: how the graph finds its best items is chosen by measurement. Absent: it looks at every item, in float32. */
  index: indexConstraint.optional(),
  /** Present: it is trained on a GPU. `without` says what to do while no worker with one is there: wait for one, or train on the CPU. */
  gpu: z.strictObject({ without: z.enum(['wait', 'cpu']).default('wait') }).optional(),
  /** `8-bit`: item vectors take a quarter of the memory, unless too few of the best 20 stay the same; then they are left in float32, and it is said so. */
  weights: z.enum(['float32', roundedWeights.value]).optional(),
  /** Of a `trainer`: the queue that its worker serves, and how long a training may wait there until one takes it (an hour). */
  taskQueue: taskQueueName.optional(),
  waitMs: z.number().int().min(1_000).max(604_800_000).optional(),
});
