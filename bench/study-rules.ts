import { canaryCells, digestCanaryCell } from '../experiments/study/canary-cells.ts';
import { decisionCells } from '../experiments/study/decision-cells.ts';
import { digestDecisionCell } from '../experiments/study/run-decision-cell.ts';
import { digestSlateCell, slateCells, type SlateRules } from '../experiments/study/slate-cells.ts';
import { charter } from '../models/contracts/charter.ts';
import { exploreSlate, slotPropensities } from '../models/slate/explore.ts';

const gates = charter.shape.gates.shape;
const settings = charter.shape.exploration.parse(undefined);

/** The charter's defaults, which the study is of. */
export const canary = charter.shape.release.shape.canary.parse({ minUnits: [1, 1, 1, 1, 1] });
export const slateRules: SlateRules = {
  limits: { ...gates.logLimits.parse(undefined), minEffectiveSampleSize: gates.minEffectiveSampleSize.parse(undefined) },
  explore: ({ allowedIds, baseItems, ...rankings }) => {
    const scope = { allowed: () => true, allowedIds };
    const { exploration } = exploreSlate({
      ...rankings,
      baseItems,
      slateSize: baseItems.length,
      scope,
      excluded: new Set(),
      settings,
      seed: 1,
      drawId: 'study',
    });
    if (exploration === null) throw new Error('The slate was not explored');
    return { exploration, ...slotPropensities({ exploration, size: baseItems.length }) };
  },
};

/** What the first draws of any cell come to now. */
export async function digestOf(id: string, seed: number): Promise<string> {
  const decision = decisionCells.find((cell) => cell.id === id);
  if (decision !== undefined) return digestDecisionCell({ cell: decision, seed });
  const slate = slateCells.find((cell) => cell.id === id);
  if (slate !== undefined) return digestSlateCell({ cell: slate, seed, ...slateRules });
  const found = canaryCells.find((cell) => cell.id === id);
  if (found !== undefined) return digestCanaryCell({ cell: found, seed, canary });
  throw new Error(`There is no cell ${id}`);
}
