import { scopeOf } from '../../models/slate/scope.ts';
import { type MeasureContext, type MeasureInput, newestCatalog, sampleLog } from './measure-log.ts';

/** Whom the model reached with what. Of a log that holds more than fits, units are a sample, and items shown are at least so many. */
export type CoverageMeasures = {
  unitShare: number;
  units: number;
  /** Units that had a slate of the model with something in it. */
  reached: number;
  slates: number;
  /** Items that may be shown, and those of them that were. */
  items: number;
  shown: number;
};

/** Counts what a surface's slates reached, by the log of slates. @throws UND-LOG-UNAVAILABLE where it cannot be read */
export async function measureCoverage(context: MeasureContext, input: MeasureInput): Promise<CoverageMeasures> {
  const { sample, slates } = await sampleLog(context, { ...input, wanted: new Set() });
  const allowed = new Set(scopeOf({ scope: input.charter.scope, items: await newestCatalog(context, input.surface), vocabulary: [] }).allowedIds);
  const shown = new Set(slates.flatMap(({ items }) => items.filter((itemId) => allowed.has(itemId))));
  const reached = new Set(slates.flatMap(({ unit, rung, items }) => (rung === 'model' && items.length > 0 ? [unit] : [])));
  const { unitShare, units } = sample;
  return { unitShare, units, reached: reached.size, slates: slates.length, items: allowed.size, shown: shown.size };
}
