import { expect, it } from 'vitest';
import type { Diagnosis, RootCauseFacts, Suspect } from '../../models/contracts/root-cause.ts';
import { judgeRecovery } from './judge-recovery.ts';

const suspect = (cause: Suspect['cause'], layer: Suspect['layer']) => ({ cause, layer, where: {}, score: 0.9, explained: null, evidence: [] }) as Suspect;
const change = { deviations: 0.2, actual: 0.1, expected: 0.1 };
const diagnosis = (...suspects: Suspect[]) => ({ suspects, change }) as unknown as Diagnosis;
const facts = { units: [{ now: true }], traffic: [{ unit: 0, slates: 500 }] } as unknown as RootCauseFacts;
const before = diagnosis(suspect('new-artifact', 'model'));

it('is over where its cause is gone and nothing of serving has come with the mend', () => {
  expect(judgeRecovery({ before, after: diagnosis(), facts })).toEqual({ recovered: true, why: 'new-artifact is no suspect any more, on 500 slates' });
  expect(judgeRecovery({ before, after: before, facts })).toMatchObject({ recovered: false, why: expect.stringContaining('still a suspect') });
  // The artifact that was gone back to cannot be loaded: what answers instead earns as much.
  expect(judgeRecovery({ before, after: diagnosis(suspect('fallback', 'serving')), facts })).toMatchObject({
    recovered: false,
    why: 'fallback is a suspect now, and was none before the mend (0.90)',
  });
  expect(judgeRecovery({ before, after: diagnosis(suspect('season', 'outside')), facts })).toMatchObject({ recovered: true });
});
