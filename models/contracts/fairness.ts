import { z } from 'zod';
import { machineName } from './ids.ts';

const share = z.number().min(0).max(1);

/** Items of one group: by what the catalog says of them, or by a list of ids where it does not know their creators. */
const fairGroup = z.strictObject({
  name: machineName,
  by: z.enum(['brand', 'category', 'items']),
  values: z.array(z.string().min(1)).min(1).max(100_000),
});

/** So many of a ranking's best items a fair slate is made of. */
const depth = z.number().int().min(2).max(500).default(100);

/** What a release may not exceed, or must reach. */
const limits = z
  .strictObject({
    /** Share of the NDCG@10 that slates have without the fairness step. */
    ndcgCost: share.default(0.1),
    /** How much of what is asked for must be there: of the minimum share of exposure, or of the slates, which shall hold as many of the group as FA*IR asks. */
    reached: share.default(0.95),
  })
  .default({ ndcgCost: 0.1, reached: 0.95 });

/** What groups of items, or the items of a creator, are owed on this surface. Applied behind diversity and before the exploration. */
export const fairnessRules = z.discriminatedUnion('method', [
  z.strictObject({
    /** Of every prefix of every slate: the group's places are such as a fair draw with `share` would have, by a test with `significance` in all. */
    method: z.literal('fa-ir'),
    group: fairGroup,
    share: z.number().min(0.01).max(0.99),
    significance: z.number().min(0.001).max(0.5).default(0.1),
    depth,
    limits,
  }),
  z.strictObject({
    /**
     * Over many slates: of any n that follow each other at a replica each group has at least `minShare - 1 / (strength n)` of the exposure, a place at rank r
     * counting 1 / log2(r + 1), as far as the rankings hold its items.
     */
    method: z.literal('exposure'),
    groups: z
      .array(z.strictObject({ ...fairGroup.shape, minShare: z.number().gt(0).max(0.9) }))
      .min(1)
      .max(20),
    /** Share of the ranking's depth that an item moves up for each slate of exposure that its group is behind. */
    strength: z.number().gt(0).max(1).default(0.1),
    depth,
    limits,
  }),
]);
export type FairnessRules = z.output<typeof fairnessRules>;
export type ExposureRules = Extract<FairnessRules, { method: 'exposure' }>;
