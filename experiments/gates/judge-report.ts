import type { Report } from '../../models/contracts/report.ts';
import type { Verdict } from '../../models/contracts/verdict.ts';
import type { GateInput } from './gate.ts';
import { gatesOf } from './registry.ts';

/** Asks every gate and writes the report's end: passed or not, the verdict on the primary metric, and why. */
export function judgeReport(input: GateInput): Report {
  const gates = gatesOf[input.draft.intent].map((gate) => gate(input));
  const refusing = gates.filter((gate) => !gate.passed);
  const telling = refusing.length > 0 ? refusing : gates.filter((gate) => ['offline-lift', 'counterfactual'].includes(gate.gate));
  return {
    ...input.draft,
    gates,
    passed: refusing.length === 0,
    verdict: verdictOf(input),
    reasons: telling.length === 0 ? ['nothing is live yet: the bootstrap rule'] : telling.map((gate) => `${gate.gate}: ${gate.reason}`),
  };
}

function verdictOf({ charter, draft }: GateInput): Verdict {
  const lift = draft.lift?.[charter.gates.primaryMetric];
  if (lift === undefined) return 'not-enough-evidence';
  if (lift.low > 0) return 'better';
  return lift.high < 0 ? 'worse' : 'not-enough-evidence';
}
