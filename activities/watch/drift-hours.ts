import { answersAbout, costOfItems } from '../../experiments/drift/what-moved.ts';
import { normalQuantile } from '../../experiments/normal.ts';
import { hourMs } from '../../experiments/watch/signal-history.ts';
import { type DriftReport, driftReport } from '../../models/contracts/drift.ts';
import type { Measure, MeasuredHour } from '../../models/contracts/signal.ts';
import { type GenerationStore, parseGeneration } from '../../stores/generations.ts';

/** What is less likely by chance is no more than this. */
const least = 1e-9;

/**
 * Adds to each hour what the measurement of drift said that was the newest by then. Drift is measured by audits, not by the hour, so it is judged there and only told here: where nothing moved, it is 0.
 */
export async function addDrift(generations: GenerationStore, surface: string, hours: readonly MeasuredHour[]): Promise<MeasuredHour[]> {
  const reports = await reportsSince(generations, surface, (hours[0]?.atMs ?? 0) + hourMs);
  return hours.map((hour) => {
    const report = reports.find(({ atMs }) => atMs < hour.atMs + hourMs);
    return report === undefined ? hour : { ...hour, measures: [...hour.measures, ...measuresOf(report)] };
  });
}

/** The newest first, down to the one that held at `atMs`. */
async function reportsSince(generations: GenerationStore, surface: string, atMs: number): Promise<DriftReport[]> {
  const series = `drift/${surface}`;
  const found: DriftReport[] = [];
  for (let generation = (await generations.latest(series))?.generation ?? 0; generation > 0; generation -= 1) {
    const report = parseGeneration(driftReport, { series, generation, document: await generations.read(series, generation) });
    found.push(report);
    if (report.atMs < atMs) break;
  }
  return found;
}

/** Of days whatever moved; of models only what cost something, since a new window moves a model as a rule. */
function measuresOf(report: DriftReport): Measure[] {
  return (['days', 'models'] as const).flatMap((part): Measure[] => {
    const asked = answersAbout(report, part);
    if (asked.length === 0) return [];
    const told = part === 'days' || costOfItems(report) === 'own' ? asked.filter(({ moved }) => moved) : [];
    const total = Math.max(0, ...told.map(({ adjusted }) => normalQuantile(1 - Math.max(least, adjusted))));
    return [{ signal: 'drift', part, total, of: asked.length }];
  });
}
