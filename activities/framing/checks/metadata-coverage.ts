import { z } from 'zod';
import { getDocument } from '../../../stores/blobs.ts';
import { catalogDocument } from '../../events/build-catalog.ts';
import { defineCheck, inKinds, kinds, notMeasured } from '../check.ts';

/** Share of such events whose item the catalog has this about. A title that is the item's id says nothing. */
export const metadataCoverage = defineCheck({
  params: z.strictObject({ kinds, field: z.enum(['category', 'brand', 'price', 'title']).default('category') }),
  measure: async ({ duck, data, blobs, settings }, params) => {
    const catalog = await getDocument(blobs, data.catalog, catalogDocument);
    const covered = new Set(
      catalog
        .filter(
          ({ itemId, category, brand, priceMinor, title }) =>
            ({ category, brand, price: priceMinor, title: title === itemId ? undefined : title })[params.field] !== undefined,
        )
        .map(({ itemId }) => itemId),
    );
    const [items = [], counts = []] = await duck.columns(
      `SELECT item_id, count(*)::DOUBLE FROM merged WHERE kind IN ${inKinds(settings, params.kinds)} GROUP BY item_id`,
    );
    let [all, of] = [0, 0];
    for (const [index, item] of items.entries()) {
      const events = counts[index] as number;
      all += events;
      if (covered.has(item as string)) of += events;
    }
    return all === 0 ? notMeasured('share', 'there is no event of these kinds') : { value: of / all, unit: 'share', of: all };
  },
});
