import type { Gate } from './gate.ts';

/** `refresh`: the lift may not lie below the margin. `replace`: all of its interval must lie above the demanded lift. */
export const offlineLiftGate: Gate = ({ charter, draft }) => {
  const { primaryMetric, refreshMargin, replaceLift } = charter.gates;
  const lift = draft.lift?.[primaryMetric];
  const champion = draft.championMetrics?.[primaryMetric]?.value;
  if (lift === undefined || champion === undefined)
    return { gate: 'offline-lift', passed: false, value: null, threshold: null, reason: `${primaryMetric} was not measured for both` };
  const refresh = draft.intent === 'refresh';
  const threshold = refresh ? -refreshMargin * champion : replaceLift * champion;
  const passed = refresh ? lift.low >= threshold : lift.low > threshold;
  const range = `${signed(lift.low)} to ${signed(lift.high)}`;
  return {
    gate: 'offline-lift',
    passed,
    value: lift.low,
    threshold,
    reason: `${primaryMetric} differs by ${range} from the champion's ${champion.toFixed(4)}; a ${draft.intent} needs ${refresh ? 'at least' : 'more than'} ${signed(threshold)}`,
  };
};

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`;
}
