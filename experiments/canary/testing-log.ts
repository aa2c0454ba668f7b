import type { Event } from '../../models/contracts/event.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';

const digest = `sha256:${'0'.repeat(64)}` as const;

export function slate(over: Partial<SlateRecord> & { requestId: string }): SlateRecord {
  const atMs = over.atMs ?? 0;
  return {
    schemaVersion: 1,
    surface: 'home',
    unit: 'u:1',
    sessionId: 's',
    atMs,
    replica: 'a',
    generation: 3,
    releaseId: 'r',
    stage: 0,
    variant: 'champion',
    enrolment: { share: 0.5, bucket: 0.7, atMs, generation: 3 },
    artifact: digest,
    rung: 'model',
    rulesDigest: digest,
    history: [],
    historyWeights: [],
    excluded: [],
    items: ['a', 'b'],
    scores: [2, 1],
    propensities: null,
    conditionalPropensities: null,
    exploration: null,
    latencyMs: 5,
    ...over,
  };
}
export const bought = (eventId: string, atMs: number, over: Partial<Event> = {}): Event => ({
  schemaVersion: 1,
  eventId,
  kind: 'purchase',
  surface: 'home',
  userId: '1',
  sessionId: 's',
  itemId: 'a',
  atMs,
  ...over,
});
