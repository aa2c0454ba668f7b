import type { State } from '../activities/context.ts';
import type { Report } from '../models/contracts/report.ts';
import { readEvidence } from './report/read-evidence.ts';

/**
 * A report in a line, what the log says in another, and one more for each field of the charter that is not what it was at the last release; the same of
 * each challenger where several share a release.
 */
export async function summarizeReport(state: State, digest: string): Promise<string[]> {
  return (await readEvidence(state, digest)).flatMap(({ report }) => linesOf(report));
}

function linesOf(report: Report): string[] {
  const metric = report.metrics['ndcg@10']?.value ?? 0;
  const champion = report.championMetrics?.['ndcg@10']?.value;
  const against = champion === undefined ? '' : ` (champion ${champion.toFixed(4)})`;
  const { counterfactual, trackRecord } = report;
  const onLog =
    counterfactual === null
      ? []
      : [
          `on ${counterfactual.slates} logged slates: ${counterfactual.verdict}, lift ${counterfactual.lift.low.toFixed(3)} to ${counterfactual.lift.high.toFixed(3)} a slate, support ${Math.round(100 * counterfactual.support)} %; ${counterfactual.reason}`,
        ];
  const refusing = report.gates.filter((gate) => !gate.passed).map((gate) => gate.gate);
  const gates = report.passed ? 'gates passed' : `REFUSED by ${refusing.join(', ')}`;
  const text = (value: unknown) => JSON.stringify(value);
  return [
    `${report.candidate}: NDCG@10 ${metric.toFixed(4)}${against}; ${gates}`,
    ...onLog,
    ...(trackRecord === undefined ? [] : [`track record: ${trackRecord.sentence}`]),
    ...report.charterDiff.map(({ path, before, now, loosens }) => `charter ${path}: ${text(before)} became ${text(now)}${loosens ? ', which LOOSENS it' : ''}`),
  ];
}
