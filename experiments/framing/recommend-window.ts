import type { Measurement } from '../../models/contracts/assumption.ts';
import { percent } from '../percent.ts';
import type { Window } from './plan.ts';
import type { Reason, Recommendation } from './reason.ts';
import { arrivalQuantile, minTestUsers } from './thresholds.ts';

const dayMs = 86_400_000;
const trainDaysAtMost = 365;
const testDaysAtMost = 28;

/**
 * A tenth of the days to test, in whole weeks where it is one or more, since weekdays differ; a gap as long as events take to come in, a day at least, where
 * there are ten days; the rest to train.
 */
export function recommendWindow({ days, arrivalDelay }: { days: number; arrivalDelay: Measurement }): Window {
  const tenth = Math.min(testDaysAtMost, Math.max(1, Math.round(days / 10)));
  const testDays = tenth >= 7 ? tenth - (tenth % 7) : tenth;
  const late = arrivalDelay.value === null ? 1 : Math.ceil(arrivalDelay.value / dayMs);
  const gapDays = days < 10 ? 0 : Math.max(1, Math.min(late, days - testDays - 1));
  return { trainDays: Math.min(trainDaysAtMost, Math.max(1, days - gapDays - testDays)), gapDays, testDays };
}

/** The same with its reasons. @param testUsers of this window */
export function explainWindow({
  window,
  arrivalDelay,
  testUsers,
}: {
  window: Window;
  arrivalDelay: Measurement;
  testUsers: Measurement;
}): Recommendation<Window> {
  const reasons: Reason[] = [];
  const notes: string[] = [];
  const { trainDays, gapDays, testDays } = window;
  if (arrivalDelay.value === null) notes.push(`how long events take to come in is not known (${arrivalDelay.why}): a gap of ${gapDays} is a guess`);
  else if (arrivalDelay.value > gapDays * dayMs)
    notes.push(`events take up to ${(arrivalDelay.value / dayMs).toFixed(1)} days to come in, and there are not days enough for such a gap`);
  else
    reasons.push({
      claim: `${percent(arrivalQuantile, 0)} of the events have come in within the gap`,
      measured: arrivalDelay,
      max: gapDays * dayMs,
    });
  if (testUsers.value === null) notes.push(`nobody can be tested on: ${testUsers.why}`);
  else if (testUsers.value >= minTestUsers)
    reasons.push({ claim: 'the test part has enough users to tell models apart', measured: testUsers, min: minTestUsers });
  else
    notes.push(
      `${testUsers.value} users or sessions can be tested on, and the gates ask for ${minTestUsers}: wait for more days, or lower gates.minUsers and expect wide intervals`,
    );
  return { path: '/window', choice: window, says: `${trainDays} days to train, ${gapDays} of gap, ${testDays} to test`, reasons, notes };
}
