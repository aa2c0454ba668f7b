import type { Charter } from '../../models/contracts/charter.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { type SlotPropensities, slotPropensities } from '../../models/slate/explore.ts';

export type UsableSlate = { record: SlateRecord; slots: SlotPropensities };

type Rules = {
  charter: Pick<Charter, 'reward' | 'slate'>;
  /** What was sent before is in the data that one of the two was trained on: it would be scored on what it has seen. */
  trainedUntilMs: number;
};

/** Slates whose propensities are what they say, whose outcome is known, each draw once; the others are counted by their reason. Oldest first. */
export function siftSlates(records: readonly SlateRecord[], { charter, trainedUntilMs }: Rules): { usable: UsableSlate[]; voidedBy: Record<string, number> } {
  const usable: UsableSlate[] = [];
  const voidedBy: Record<string, number> = {};
  const draws = new Set<string>();
  // The log's own end is the clock, so that the same log gives the same estimate at any time.
  const endMs = records.at(-1)?.atMs ?? 0;
  for (const record of records) {
    const slots = record.exploration === null ? null : slotPropensities({ exploration: record.exploration, size: record.items.length });
    const why = objection({ record, slots, charter, trainedUntilMs, endMs, isCounted: draws.has(record.exploration?.drawId ?? '') });
    if (why !== null || slots === null) {
      const reason = why ?? 'nothing was explored';
      voidedBy[reason] = (voidedBy[reason] ?? 0) + 1;
      continue;
    }
    draws.add(record.exploration?.drawId ?? '');
    usable.push({ record, slots });
  }
  return { usable, voidedBy };
}

type Sifted = Rules & { record: SlateRecord; slots: SlotPropensities | null; endMs: number; isCounted: boolean };

function objection({ record, slots, charter, trainedUntilMs, endMs, isCounted }: Sifted): string | null {
  if (record.atMs < trainedUntilMs) return 'candidate or champion was trained on what followed';
  if (endMs - record.atMs <= charter.reward.attributionMs) return 'what it earns is not known yet';
  if (record.propensities === null) return `propensities void: ${record.propensityVoid ?? 'the slate was changed after it was drawn'}`;
  if (slots === null) return 'nothing was explored';
  if (record.items.length !== charter.slate.size) return 'shorter or longer than the surface shows';
  if (isCounted) return 'a draw that is counted already';
  if (Math.abs(drawSum(record) - 1) > 1e-6) return 'propensities do not sum to one';
  if (record.items.some((item, slot) => Math.abs((record.propensities?.[slot] ?? 0) - slots.marginal(item, slot)) > 1e-6))
    return 'recorded propensities are not those of the recorded draw';
  return null;
}

/** Over all that a drawn slot could hold: the pool, and the floor's items, which are as likely one as the other. */
function drawSum({ exploration }: SlateRecord): number {
  if (exploration === null) return 0;
  return exploration.poolProbabilities.reduce((sum, one) => sum + one, exploration.floorItems * exploration.floorProbability);
}
