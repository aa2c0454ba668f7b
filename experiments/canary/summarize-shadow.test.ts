import { describe, expect, it } from 'vitest';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { judgeShadow, summarizeShadow } from './summarize-shadow.ts';

const canary: Parameters<typeof judgeShadow>[0]['canary'] = {
  shadowSlates: 30,
  ladder: [0.5],
  minUnits: [1],
  lookEveryMs: 1_000,
  maxDurationMs: 10_000,
  alpha: 0.05,
  inconclusive: 'roll-back',
  refreshMargin: 0.1,
  maxErrorShare: 0.01,
  maxFallbackShare: 0.05,
  maxP99Ms: 250,
};

describe('shadow', () => {
  const record = (requestId: string, shadow: { artifact?: string; items?: string[]; latencyMs?: number; error?: string | null } | null) =>
    ({
      requestId,
      releaseId: 'r',
      items: ['a', 'b', 'c', 'd'],
      ...(shadow === null ? {} : { shadow: { artifact: 'sha256:', items: ['b', 'a', 'x', 'y'], latencyMs: 5, error: null, ...shadow } }),
    }) as unknown as SlateRecord;
  const summarize = (records: SlateRecord[]) => summarizeShadow({ records, releaseId: 'r', artifact: 'sha256:', maxP99Ms: 250 });

  it('counts unseen answers, errors, slow ones and the overlap, each request once', () => {
    const found = summarize([
      record('1', {}),
      record('1', {}),
      record('2', null),
      record('3', { items: ['a', 'b', 'c', 'd'], latencyMs: 300 }),
      record('4', { error: 'no', items: [] }),
      { ...record('5', {}), releaseId: 'x' },
      // Another challenger's.
      record('6', { artifact: 'sha256:other', error: 'no' }),
    ]);
    expect(found).toMatchObject({ slates: 3, errors: 1, slow: 1, overlapAt10: 0.75 });
    expect(found.latencyP99Ms).toBeGreaterThanOrEqual(300);
  });

  it('is over after its slates, and fails on certain errors or slowness', () => {
    const judge = (count: number, shadow: Parameters<typeof record>[1]) =>
      judgeShadow({ summary: summarize(Array.from({ length: count }, (_, index) => record(String(index), shadow))), canary });
    expect(judge(10, {})).toMatchObject({ done: false, failed: false });
    expect(judge(30, {})).toMatchObject({ done: true, failed: false });
    expect(judge(20, { error: 'no' })).toMatchObject({ done: true, failed: true });
    expect(judge(30, { latencyMs: 400 })).toMatchObject({ done: true, failed: false });
    expect(judge(200, { latencyMs: 400 })).toMatchObject({ done: true, failed: true });
  });
});
