import type { EventKind } from '../../models/contracts/event.ts';
import { text } from '../events/duckdb.ts';
import type { Framing } from './open-framing.ts';

/** The steps of the funnel, in order; to open an item's page, by whatever way, is one of them. Dwell goes beside it and leads to nothing. */
export const funnelSteps = {
  impression: ['impression'],
  view: ['view', 'click'],
  dwell: ['dwell'],
  'add-to-cart': ['add-to-cart'],
  purchase: ['purchase'],
} as const satisfies Record<string, readonly EventKind[]>;
export type FunnelStep = keyof typeof funnelSteps;
export const funnelStepNames = Object.keys(funnelSteps) as FunnelStep[];

export const stepKinds = (step: FunnelStep): string => `(${funnelSteps[step].map(text).join(', ')})`;

/** Events of a step, units that took it, and pairs of unit and item. */
export type StepCounts = { step: FunnelStep; events: number; units: number; pairs: number };

export async function countSteps({ duck }: Framing): Promise<StepCounts[]> {
  const counts: StepCounts[] = [];
  for (const step of funnelStepNames) {
    const [row] = await duck.rows<Omit<StepCounts, 'step'>>(
      `SELECT coalesce(sum(events), 0)::DOUBLE AS events, count(DISTINCT unit)::DOUBLE AS units, count(*)::DOUBLE AS pairs
      FROM (SELECT unit, count(*) AS events FROM merged WHERE kind IN ${stepKinds(step)} GROUP BY unit, item_id)`,
    );
    if (row !== undefined) counts.push({ step, ...row });
  }
  return counts;
}
