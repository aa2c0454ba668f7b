import { percent } from '../percent.ts';
import type { Gate } from './gate.ts';

export const coverageGate: Gate = ({ charter, draft }) => {
  const coverage = draft.metrics['coverage@10']?.value ?? 0;
  const needed = charter.gates.minCoverage;
  return {
    gate: 'coverage',
    passed: coverage >= needed,
    value: coverage,
    threshold: needed,
    reason: `shows ${percent(coverage)} of the catalog, at least ${percent(needed)} needed`,
  };
};
