import type { Report } from '../../models/contracts/report.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { type ForestRow, forestPlot } from './forest-plot.ts';

const shown = ['ndcg@10', 'recall@20', 'mrr@20', 'hit-rate@10', 'novelty@10', 'serendipity@10', 'diversity@10'];

/** The report's lifts over the champion; without a champion, its metrics. */
export function pictureOfReport(report: Report): string {
  const { lift, metrics, counterfactual, slices = {} } = report;
  const table = lift ?? metrics;
  const rows: ForestRow[] = [];
  const add = (label: string, interval: Interval | undefined) => {
    if (interval !== undefined) rows.push({ label, interval, note: range(interval) });
  };
  for (const name of shown) add(name, table[name]);
  if (lift !== null) for (const [slice, one] of Object.entries(slices)) add(`ndcg@10, ${slice} (${one.users})`, one.lift?.['ndcg@10']);
  if (counterfactual !== null) add('reward a slate, on the log', counterfactual.lift);
  const what = lift === null ? 'metrics' : 'lift over the champion';
  return forestPlot({
    title: `${report.surface}: ${report.candidate}, ${what} (${report.passed ? 'gates passed' : 'refused'}, ${report.verdict})`,
    sides: ['lower', 'higher'],
    rows,
  });
}

function range({ value, low, high }: Interval): string {
  const sign = (one: number) => `${one < 0 ? '−' : '+'}${Math.abs(one).toFixed(4)}`;
  return `${sign(value)} [${sign(low)}, ${sign(high)}]`;
}
