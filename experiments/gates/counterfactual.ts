import type { Gate } from './gate.ts';

/** `worse` on the log always refuses; without enough evidence the charter decides. */
export const counterfactualGate: Gate = ({ charter, draft }) => {
  const { withoutCounterfactualSupport } = charter.gates;
  const result = draft.counterfactual;
  const verdict = result?.verdict ?? 'not-enough-evidence';
  const passed = verdict === 'better' || (verdict === 'not-enough-evidence' && withoutCounterfactualSupport === 'pass');
  const record = draft.trackRecord === undefined ? '' : `; ${draft.trackRecord.sentence}`;
  return {
    gate: 'counterfactual',
    passed,
    value: result?.lift.value ?? null,
    threshold: 0,
    reason: result === null ? (draft.counterfactualAbsent ?? 'no slate of the log can tell yet') : `${verdict}: ${result.reason}${record}`,
  };
};
