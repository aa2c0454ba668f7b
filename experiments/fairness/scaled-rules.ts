import type { FairnessRules } from '../../models/contracts/fairness.ts';

/** Shares of what a charter asks for at which a report shows the cost. */
export const scales = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5] as const;

/** The rules with this share of what they ask for; undefined for nothing of it. */
export function scaledRules(rules: FairnessRules, scale: number): FairnessRules | undefined {
  if (scale === 0) return undefined;
  if (rules.method === 'fa-ir') return { ...rules, share: Math.min(0.99, Math.max(0.01, rules.share * scale)) };
  return { ...rules, groups: rules.groups.map((group) => ({ ...group, minShare: Math.min(0.9, group.minShare * scale) })) };
}
