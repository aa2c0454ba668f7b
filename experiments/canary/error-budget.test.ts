import { expect, it } from 'vitest';
import { exceeds } from './guardrails.ts';
import { rollbackAlpha, rollbackReasons } from './error-budget.ts';
import { armsOf, canary, decide, stratum } from './testing.ts';

it('all reasons for a rollback share the alpha of the charter, and reward has nearly all of it', () => {
  expect(rollbackReasons.reduce((sum, reason) => sum + rollbackAlpha(reason, 0.01), 0)).toBeCloseTo(0.01, 15);
  expect(rollbackAlpha('reward', 0.01)).toBeGreaterThan(0.009);
});

it('one user whose slates all fail breaks no guardrail; many users do', () => {
  const base = armsOf([stratum({ share: 0.5, champion: { units: 500, converted: 100 }, challenger: { units: 500, converted: 100 } })]);
  const failing = (users: number, slates: number) => ({
    ...base,
    challenger: { ...base.challenger, slates: 500 + slates, errors: slates },
    byUser: { users: 500, errors: users, fallbacks: 0, slow: 0 },
  });
  expect(exceeds({ count: 2_000, trials: 2_500, limit: canary.maxErrorShare, alpha: rollbackAlpha('errors', canary.alpha) })).toBe(true);
  expect(decide({ arms: failing(1, 2_000) })).toMatchObject({ action: 'advance' });
  expect(decide({ arms: failing(40, 2_000) })).toMatchObject({ action: 'roll-back', reasons: [expect.stringContaining('had no items')] });
});
