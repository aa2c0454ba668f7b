import type { ReleaseStatus } from '../../models/contracts/release.ts';

/** Nothing is under way. */
export function idle(surface: string): ReleaseStatus {
  return {
    surface,
    phase: 'idle',
    why: 'no candidate',
    releaseId: null,
    candidate: null,
    artifact: null,
    evidence: null,
    intent: null,
    policy: null,
    votes: [],
    generation: 0,
    stage: null,
    share: null,
    look: 0,
    lastDecision: null,
    waiting: null,
    last: null,
    closed: 0,
  };
}
