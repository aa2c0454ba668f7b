import { z } from 'zod';
import { indexConstraint, roundedWeights } from './artifact.ts';
import { eventKinds } from './event.ts';
import { digestString, machineName, surfaceName, taskQueueName } from './ids.ts';
import { tuningSearch, tuningSpace } from './tuning.ts';

/**
 * Everything besides the window that decides what training gives: its digest and the window's name a run. Fields of the
 * charter that only matter later (gates, canary, approvers) are not in it, so changing them never trains anything again.
 */
export const recipe = z.strictObject({
  kind: z.literal('recipe'),
  surface: surfaceName,
  candidate: machineName,
  algorithm: machineName,
  params: z.record(z.string(), z.json()),
  seed: z.number().int(),
  confidence: z.partialRecord(z.enum(eventKinds), z.number()),
  repeatPolicy: z.enum(['allow', 'exclude-purchased']),
  /** The charter's. */
  coldItems: z.literal('metadata').optional(),
  /** Digest of a guest's files, so that other bytes are another recipe. */
  guest: z.string().nullable(),
  /**
   * Present: the combination that is best by the metric on the window's validation part takes the place of what `params` say, and is trained on the
   * whole train part.
   */
  tune: z
    .strictObject({
      grid: tuningSpace,
      search: tuningSearch.optional(),
      metric: z.string(),
      /** Reward, scope and slate of the charter, by which trials are measured. */
      judgedBy: z.record(z.string(), z.json()),
    })
    .optional(),
  /** The charter's `identity` and `consent`, where it has any: whose an event is, and whether it may be learned from. */
  people: z.record(z.string(), z.json()).optional(),
  /** Present: training begins from what the run that made the artifact `from` kept, by `params` where they differ; and keeps the same for a later run. */
  warmStart: z.strictObject({ from: digestString.nullable(), params: z.record(z.string(), z.json()) }).optional(),
  /** Present: the model is made over the vectors of this set, which a run of the candidate `of` made. */
  embeddings: z.strictObject({ of: machineName, set: digestString }).optional(),
  /** Present: how the graph finds its best items is chosen by what is measured at the first training, and kept. */
  index: indexConstraint.optional(),
  /** Present: it is trained on a GPU, unless there is none and the charter says to do without. */
  device: z.literal('gpu').optional(),
  /** Present: item vectors are kept so, where what is measured at the first training allows it. */
  weights: roundedWeights.optional(),
  /** Present: a worker of somebody else's trains it. */
  trainer: z.strictObject({ taskQueue: taskQueueName }).optional(),
});
export type Recipe = z.infer<typeof recipe>;

/** A recipe without what is another one at each run. */
export type Aim = Omit<Recipe, 'warmStart' | 'embeddings' | 'device'> & { embeddings?: { of: string } };

/** What training aims at, wherever it begins, whatever computes it and whichever version of another's vectors it is given: by it a run is known as the refresh of another. */
export function withoutStart({ warmStart: _, device: __, embeddings, ...aim }: Recipe): Aim {
  return embeddings === undefined ? aim : { ...aim, embeddings: { of: embeddings.of } };
}

/** Why training began as if nothing had been before. `little-in-common`: most of what happened since is of items that the earlier run did not know. */
export const coldReasons = ['no-earlier-run', 'source-missing', 'source-erased', 'source-damaged', 'source-unfit', 'little-in-common'] as const;

/** Where the training of a recipe with `warmStart` began. */
export const trainingStart = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('warm'),
    /** Artifact. */
    from: digestString,
    /** Items taken over, items that are new, and items that are gone. */
    carried: z.number().int(),
    added: z.number().int(),
    dropped: z.number().int(),
  }),
  z.strictObject({ kind: z.literal('cold'), reason: z.enum(coldReasons), why: z.string() }),
]);
export type TrainingStart = z.infer<typeof trainingStart>;
