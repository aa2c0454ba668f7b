import { z } from 'zod';
import { eventKinds } from './event.ts';
import { dayString, machineName, surfaceName } from './ids.ts';

/** What a worker of somebody else's is asked by, and answers by: examples/guest-trainer/README.md has it as tables. */
export const trainContract = 'understudy.train/1';

/** Where nobody says how long a training may wait for a worker: one that is busy may need the time, one that is not there is told of on the same morning. */
export const usualWaitMs = 3_600_000;

/** Input of the activity `train`. All else stands in the job's folder. */
export type TrainOrder = {
  contract: typeof trainContract;
  /** Name of the job's folder in `checkpoints/` of the state directory. */
  folder: string;
  surface: string;
  candidate: string;
};

/** What such a worker serves, in whatever language. */
export interface GuestActivities {
  train(order: TrainOrder): Promise<unknown>;
}

/** Its result. */
export const trainAnswer = z.strictObject({
  contract: z.literal(trainContract),
  /** The order's. */
  folder: z.string(),
  /** That the attempt trained. */
  seconds: z.number().min(0).max(1e9),
  /** The step from which it went on with what an earlier attempt had left in `work/`; 0 where it began anew. */
  resumedFrom: z.number().int().min(0),
});

/** `job.json` in the job's folder. */
export const trainJob = z.strictObject({
  contract: z.literal(trainContract),
  surface: surfaceName,
  candidate: machineName,
  params: z.record(z.string(), z.json()),
  seed: z.number().int(),
  /** First and last day of the events; nothing of what came later may be known to the model. */
  days: z.strictObject({ from: dayString, to: dayString, timeZone: z.string() }),
  counts: z.strictObject({ users: z.number().int(), items: z.number().int(), entries: z.number().int() }),
  /** What `weight` is, by the event's kind. */
  confidence: z.partialRecord(z.enum(eventKinds), z.number()),
  repeatPolicy: z.enum(['allow', 'exclude-purchased']),
});
export type TrainJob = z.infer<typeof trainJob>;

/** `guest.json` beside `factors.f32`: vectors of items, over which a user's is found from the history as iALS does. */
export const factorsInterface = 'understudy.factors/1';
export const factorsManifest = z.strictObject({
  interface: z.literal(factorsInterface),
  name: z.string().min(1).max(200),
  /** d of the [n, d] numbers. */
  dimensions: z.number().int().min(1).max(1024),
  /** As in models/algorithms/ials/ials.ts. */
  alpha: z.number().positive().max(1e6),
  lambda: z.number().positive().max(1e6),
  frequencyScaling: z.number().min(0).max(1),
  maxHistory: z.number().int().min(1).max(1000).default(500),
});
