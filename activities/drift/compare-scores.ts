import { compareClouds } from '../../experiments/drift/compare-clouds.ts';
import { createRandom } from '../../models/random.ts';
import type { State } from '../context.ts';
import { askOfUsers, scoreNames } from './ask-models.ts';
import { askColumns, type DayDrift, permutations, unitsAtLeast } from './compare-days.ts';
import type { UnitPeriod, Periods } from './read-periods.ts';

type Input = { artifact: string; people: { from: readonly UnitPeriod[]; to: readonly UnitPeriod[] }; periods: Periods; seed: number };

export const noScores = (why: string): DayDrift => ({
  asked: [],
  columns: [],
  notMeasured: (['scores', 'user-vectors'] as const).map((what) => ({ what, why })),
});

/** What one model says of users of two stretches of days, and where it puts them: in one model there is nothing to align. */
export async function compareScores(state: State, { artifact, people, periods, seed }: Input): Promise<DayDrift> {
  const [before, after] = await askOfUsers(state, { artifact, sides: [people.from, people.to] });
  if (before === undefined || after === undefined) return noScores('nobody was asked');
  const scores = askColumns(before.scores, after.scores, { what: 'scores', names: scoreNames, seed });
  const when = `users of ${periods.from.from} to ${periods.from.to} and of ${periods.to.from} to ${periods.to.to}`;
  const asked = scores.asked.map((one) => ({ ...one, says: `${one.says}; ${when}` }));
  const [one, other] = [before.vectors, after.vectors];
  const without = (why: string): DayDrift => ({ ...scores, asked, notMeasured: [...scores.notMeasured, { what: 'user-vectors', why }] });
  if (one === null || other === null) return without('what the model scores by is no product of vectors of users and items');
  if (Math.min(one.count, other.count) < unitsAtLeast) return without(`a side has ${Math.min(one.count, other.count)} users, and ${unitsAtLeast} are needed`);
  const { p, method, rows } = compareClouds(one, other, { random: createRandom(seed + 1), permutations });
  const says = `where the model puts ${when}, by ${method === 'mmd' ? 'maximum mean discrepancy' : 'energy distance'}`;
  return { ...scores, asked: [...asked, { what: 'user-vectors', p, says, units: rows }] };
}
