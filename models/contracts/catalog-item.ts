import { z } from 'zod';
import { epochMs, externalId } from './ids.ts';

export const catalogItem = z.strictObject({
  itemId: externalId,
  title: z.string().max(500),
  category: z.string().max(200).optional(),
  brand: z.string().max(200).optional(),
  priceMinor: z.number().int().min(0).optional(),
  inStock: z.boolean().default(true),
  /** First and last day the item was seen on sale; catalogs "as of then" are cut by these. */
  availableFromMs: epochMs.optional(),
  availableUntilMs: epochMs.optional(),
});
export type CatalogItem = z.infer<typeof catalogItem>;
