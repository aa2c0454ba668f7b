import type { Basics } from './plan.ts';
import { type Recommendation, weigh } from './reason.ts';
import { identity } from './thresholds.ts';

export const encoders = {
  session: 'session-based',
  'long-term': 'long-term',
  both: 'session-based for anonymous and new users, long-term for known ones',
} as const;
export type Encoder = keyof typeof encoders;

/** Of what a model of users should be made: what they do in this session, what they did before, or either by whom it meets. */
export function recommendEncoder({ knownHistory, returning, knownUsers }: Pick<Basics, 'knownHistory' | 'returning' | 'knownUsers'>): Recommendation<Encoder> {
  const { sessionBelow, longTermFrom, minReturning } = identity;
  const path = '/candidates';
  const some = weigh({
    measured: knownHistory,
    bound: sessionBelow,
    above: 'enough later visits are by somebody with a history',
    below: 'next to no later visit is by somebody with a history',
  });
  const comesBack = weigh({ measured: returning, bound: minReturning, above: 'users come again', below: 'users hardly ever come again' });
  const all = weigh({
    measured: knownHistory,
    bound: longTermFrom,
    above: 'nearly all later visits are by somebody with a history',
    below: 'not nearly all later visits are by somebody with a history',
  });
  const made = (choice: Encoder, reasons: Recommendation<Encoder>['reasons'], notes: string[] = []) => ({
    path,
    choice,
    says: encoders[choice],
    reasons,
    notes,
  });
  if (some.isAbove === false) return made('session', some.reason);
  if (comesBack.isAbove === false) return made('session', comesBack.reason);
  if (some.isAbove === null) {
    const why = `who has a history at a later visit is not known: ${knownHistory.why ?? ''}`;
    return knownUsers.value === null || knownUsers.value === 0 ? made('session', [], [why]) : made('both', [], [why]);
  }
  if (all.isAbove === true) return made('long-term', [...all.reason, ...comesBack.reason]);
  return made('both', [...some.reason, ...all.reason, ...comesBack.reason]);
}
