import type { Gate } from './gate.ts';

export const parityGate: Gate = ({ draft: { parity } }) => ({
  gate: 'parity',
  passed: parity.passed,
  value: parity.largestError,
  threshold: null,
  reason: parity.passed ? `the graph answers ${parity.requests} requests as the trainer does` : 'the graph does not answer as the trainer does',
});
