import { z } from 'zod';
import { maturity } from './guardrail.ts';
import { digestString, externalId, surfaceName } from './ids.ts';

/** By which two vectors are meant to be compared. `cosine`: their lengths say nothing of how alike they are. */
export const measure = z.enum(['dot', 'cosine']);
export type Measure = z.infer<typeof measure>;

/**
 * Vectors of a surface's items that any model may be made over. The digest of its canonical JSON is its version: vectors of two versions say nothing of
 * each other. It is of items only: no row of it is a person's.
 */
export const embeddingSet = z.strictObject({
  kind: z.literal('embedding-set'),
  surface: surfaceName,
  entity: z.literal('item'),
  dimensions: z.number().int().min(1).max(1024),
  /** Rows. */
  count: z.number().int().min(1),
  measure,
  /** Of the bytes of `vocabulary.json`: an array of item ids, index = row. */
  ids: digestString,
  /** Of `count` rows of `dimensions` float32 each, little-endian, one behind the other. */
  vectors: digestString,
  /** The run that learned them: one set is made by one run, whatever artifacts share it. */
  madeBy: z.strictObject({ window: digestString, recipe: digestString, seed: z.number().int() }),
});
export type EmbeddingSet = z.infer<typeof embeddingSet>;

const version = digestString.describe('Of the embedding set');

export const similarRequest = z
  .strictObject({
    surface: surfaceName,
    /** The item itself is not answered. */
    itemId: externalId.optional(),
    /** A vector that was read from `version`, or made of such vectors. */
    vector: z.array(z.number().min(-1e30).max(1e30)).min(1).max(1024).optional(),
    /** Any other than the one that serves is refused. */
    version: version.optional(),
    count: z.number().int().min(1).max(100).default(10),
    /** For whom the items are: who says nothing of it gets what may be shown to everybody. */
    context: z.strictObject({ country: z.string().max(64).optional(), maturity: maturity.optional() }).default({}),
  })
  .refine(({ itemId, vector }) => (itemId === undefined) !== (vector === undefined), 'either itemId or vector');
export type SimilarRequest = z.output<typeof similarRequest>;

export const similarResponse = z.strictObject({
  surface: surfaceName,
  version,
  artifact: digestString,
  measure,
  items: z.array(z.strictObject({ itemId: externalId, score: z.number() })),
});
export type SimilarResponse = z.infer<typeof similarResponse>;

export const embeddingsRequest = z.strictObject({
  surface: surfaceName,
  itemIds: z.array(externalId).min(1).max(100),
  version: version.optional(),
});
export type EmbeddingsRequest = z.output<typeof embeddingsRequest>;

export const embeddingsResponse = z.strictObject({
  surface: surfaceName,
  version,
  artifact: digestString,
  measure,
  dimensions: z.number().int(),
  /** In the order of the request; null for an item that the set does not have. */
  embeddings: z.array(z.strictObject({ itemId: externalId, vector: z.array(z.number()).nullable() })),
});
export type EmbeddingsResponse = z.infer<typeof embeddingsResponse>;
