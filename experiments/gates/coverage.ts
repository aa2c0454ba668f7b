import type { Gate } from './gate.ts';

export const coverageGate: Gate = ({ charter, draft }) => {
  const coverage = draft.metrics['coverage@10']?.value ?? 0;
  const needed = charter.gates.minCoverage;
  return {
    gate: 'coverage',
    passed: coverage >= needed,
    value: coverage,
    threshold: needed,
    reason: `shows ${(coverage * 100).toFixed(1)} % of the catalog, at least ${(needed * 100).toFixed(1)} % needed`,
  };
};
