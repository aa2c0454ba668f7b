import type { Charter } from '../../models/contracts/charter.ts';
import type { GateResult, Report } from '../../models/contracts/report.ts';

/** What gates look at: the report before anyone has judged it, and the charter's limits. */
export type GateInput = {
  charter: Pick<Charter, 'gates' | 'fairness'>;
  draft: Omit<Report, 'gates' | 'passed' | 'verdict' | 'reasons'>;
  artifactBytes: number;
};
export type Gate = (input: GateInput) => GateResult;
