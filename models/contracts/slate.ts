import { z } from 'zod';
import { digestString, epochMs, externalId, machineName, surfaceName } from './ids.ts';
import { variantName } from './deployment.ts';
import { maturity } from './guardrail.ts';

/** Which link of the fallback chain answered. */
export const rungs = ['model', 'session', 'popularity', 'static'] as const;
export const rung = z.enum(rungs);
export type Rung = z.infer<typeof rung>;

export const recommendRequest = z.strictObject({
  surface: surfaceName,
  userId: externalId.optional(),
  sessionId: externalId.optional(),
  /** Only what the device allows is read by it: it stands in no record. */
  deviceId: externalId.optional(),
  count: z.number().int().min(1).max(100).optional(),
  exclude: z.array(externalId).max(500).default([]),
  context: z
    .strictObject({
      /** What this visitor did before, oldest first, where the caller knows better than we do. */
      history: z
        .array(z.strictObject({ itemId: externalId, kind: z.enum(['view', 'click', 'add-to-cart', 'purchase']).default('view') }))
        .max(500)
        .optional(),
      country: z.string().max(64).optional(),
      device: z.string().max(64).optional(),
      /** For whom the slate is, where the caller knows it; guardrails take who does not say it for a child. */
      maturity: maturity.optional(),
      /** What the caller knows of the visitor, such as a lifecycle stage or a loyalty tier. Where it is absent: `known` with a history, else `new`. */
      segment: machineName.optional(),
    })
    .default({}),
});
export type RecommendRequest = z.infer<typeof recommendRequest>;

export const recommendResponse = z.strictObject({
  requestId: externalId,
  surface: surfaceName,
  items: z.array(z.strictObject({ itemId: externalId, score: z.number(), position: z.number().int() })),
  variant: variantName,
  artifact: digestString.nullable(),
  generation: z.number().int(),
  rung,
  /** Version of the embedding set that the artifact made or was made over; absent where there is none. */
  embeddings: digestString.optional(),
  /** Why the slate is short, empty or not from the model; absent when all is well. */
  reason: z.string().optional(),
});
export type RecommendResponse = z.infer<typeof recommendResponse>;

/** How one slate was drawn. Everything needed to compute any propensity again. */
export const exploration = z.strictObject({
  seed: z.number().int(),
  /** Two slates with one draw id are one draw. */
  drawId: externalId,
  /** The slate before exploration. */
  baseItems: z.array(externalId),
  /** Candidates of the drawn slot, and each one's probability of being drawn into it (the floor's share included). */
  poolItems: z.array(externalId),
  poolProbabilities: z.array(z.number()),
  /** Probability of each in-scope item outside base slate and pool (the uniform floor), and how many there are. */
  floorProbability: z.number(),
  floorItems: z.number().int(),
  /** Zero-based slots that were drawn. */
  slots: z.array(z.number().int()),
  /**
   * How many slots were to be drawn, where that is no whole number: the whole part always, one more with the probability of the rest. Absent: as many
   * as `slots` has.
   */
  expectedSlots: z.number().positive().optional(),
});
export type Exploration = z.infer<typeof exploration>;

/** A unit's first enrolment in a release. */
export const enrolment = z.strictObject({
  /** The challenger's share then. */
  share: z.number(),
  /** Those of the release's other challengers, in the order of the deployment spec; absent where there are none. */
  rivalShares: z.array(z.number()).optional(),
  /** Where the unit fell in [0, 1): the challengers' shares lie one behind the other from 0 on, what is left is the champion's. */
  bucket: z.number(),
  atMs: epochMs,
  generation: z.number().int(),
});
export type Enrolment = z.infer<typeof enrolment>;

/** Whose a unit became when it was enrolled: 0 the champion's, 1 the challenger's, 2 and on its rivals' in their order. */
export function armOf({ share, rivalShares = [], bucket }: Pick<Enrolment, 'share' | 'rivalShares' | 'bucket'>): number {
  let end = 0;
  for (const [index, own] of [share, ...rivalShares].entries()) {
    end += own;
    if (bucket < end) return index + 1;
  }
  return 0;
}

/** What the server sent, one a request. Handed to the log as the answer leaves: a replica that is killed loses those of its last moment. */
export const slateRecord = z.strictObject({
  schemaVersion: z.literal(1),
  requestId: externalId,
  surface: surfaceName,
  unit: z.string(),
  userId: externalId.optional(),
  sessionId: externalId.optional(),
  atMs: epochMs,
  replica: externalId,
  generation: z.number().int(),
  releaseId: externalId.nullable(),
  stage: z.number().int().nullable(),
  variant: variantName,
  enrolment: enrolment.nullable(),
  /** The challenger's share of new enrolments that was in force. */
  share: z.number().optional(),
  /** How many items were asked for. */
  count: z.number().int().optional(),
  artifact: digestString.nullable(),
  rung,
  reason: z.string().optional(),
  rulesDigest: digestString,
  /** Number of the newest change of the surface's flags that the slate obeys; absent where there was none, and in records from before. */
  flags: z.number().int().min(1).optional(),
  /** Of the groups of the charter's fairness, how many slates of exposure each was behind when the slate was made; absent where nothing is amortized. */
  deficits: z.array(z.number()).optional(),
  /** The context the models saw: item ids oldest first, weights of the same length. */
  history: z.array(externalId),
  historyWeights: z.array(z.number()),
  /** Events up to then stand in the history; absent where the caller told it, or there is none. */
  historyUntilMs: epochMs.optional(),
  /** What the caller said of the request besides; absent where nothing. */
  context: z.strictObject({ country: z.string().optional(), device: z.string().optional(), maturity: maturity.optional() }).optional(),
  /** Of the visitor, as the canary's shares tell visitors apart. */
  segment: machineName.optional(),
  excluded: z.array(externalId),
  items: z.array(externalId),
  scores: z.array(z.number()),
  /** Marginal probability that this item stood at this slot; null where something changed the slate after sampling. */
  propensities: z.array(z.number()).nullable(),
  /** Probability of the item given that its slot was drawn; 1 for a base item. */
  conditionalPropensities: z.array(z.number()).nullable(),
  propensityVoid: z.string().optional(),
  exploration: exploration.nullable(),
  latencyMs: z.number(),
  /** How much of it each stage took (`serving/stage-times.ts`); absent in records of before that was measured. */
  stagesMs: z.record(z.string(), z.number()).optional(),
  /** The challenger's unseen answer in shadow mode. */
  shadow: z.strictObject({ artifact: digestString, items: z.array(externalId), latencyMs: z.number(), error: z.string().nullable() }).optional(),
});
export type SlateRecord = z.infer<typeof slateRecord>;
