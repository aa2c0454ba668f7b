import type { Gate } from './gate.ts';

export const sizeGate: Gate = ({ charter, artifactBytes }) => {
  const megabytes = artifactBytes / 1e6;
  const limit = charter.gates.maxArtifactMb;
  return { gate: 'size', passed: megabytes <= limit, value: megabytes, threshold: limit, reason: `${megabytes.toFixed(1)} MB of at most ${limit}` };
};
