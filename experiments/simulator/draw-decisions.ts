import { createRandom, type Random } from '../../models/random.ts';
import type { LoggedRows } from '../counterfactual/single-slot/logged-rows.ts';
import { type Alias, aliasOf, pick, scale } from './alias.ts';
import type { DecisionWorld } from './decision-world.ts';

/**
 * Logs of a world: the same seed, the same log. Arrays are reused: a log is gone when the next one is drawn.
 *
 * A user has a segment and a factor of engagement, and stays for a geometric number of rows; the row's place in the log is its time.
 */
export function decisionLogs(world: DecisionWorld): (seed: number) => LoggedRows {
  const { settings, items, contexts, segments, logged, examination } = world;
  const policies = Array.from({ length: contexts }, (_, context) => aliasOf(world.logging.subarray(context * items, (context + 1) * items)));
  const visitors = visitorTypes(world);
  const visitorAlias = aliasOf(Float64Array.from(visitors, (one) => one.probability));
  const { predicted } = world;
  const expected = predicted === null ? null : Float64Array.from({ length: contexts }, (_, context) => expectation(world, predicted, context));
  const hasModel = settings.modelError !== null;
  const rowsPerUser = settings.rowsPerUser ?? 1;
  const column = () => new Float64Array(logged);
  const rows = {
    reward: column(),
    propensity: column(),
    target: column(),
    qLogged: hasModel ? column() : undefined,
    qTarget: hasModel ? column() : undefined,
    position: new Int32Array(logged),
    cluster: rowsPerUser > 1 ? new Int32Array(logged) : undefined,
  };
  const places = new Int32Array(logged);
  const earn = rewardOf(world);
  return (seed) => {
    const random = createRandom(seed);
    let user = -1;
    let visitor = visitors[0] as VisitorType;
    for (let row = 0; row < logged; row += 1) {
      if (user < 0 || rowsPerUser === 1 || random.uint32() * scale * rowsPerUser < 1) {
        user += 1;
        visitor = visitors[pick(visitorAlias, random.uint32())] as VisitorType;
      }
      const context = Math.floor((row * world.periods) / settings.rows) * segments + visitor.segment;
      const place = context * items + pick(policies[context] as Alias, random.uint32());
      const slot = examination.length === 1 ? 0 : Math.floor(random.uint32() * scale * examination.length);
      const examined = examination[slot] as number;
      const isRewarded = random.uint32() * scale < examined * (world.worth[place] as number) * visitor.factor;
      rows.reward[row] = isRewarded ? earn(random, row) : 0;
      rows.propensity[row] = world.recorded[place] as number;
      rows.target[row] = world.target[place] as number;
      rows.position[row] = slot;
      if (rows.cluster !== undefined) rows.cluster[row] = user;
      if (predicted !== null && expected !== null) {
        (rows.qLogged as Float64Array)[row] = examined * (predicted[place] as number);
        (rows.qTarget as Float64Array)[row] = examined * (expected[context] as number);
      }
      places[row] = place;
    }
    if (settings.modelError === 'same-log') learnFromLog({ world, rows, places });
    return rows;
  };
}

type VisitorType = { segment: number; factor: number; probability: number };

function visitorTypes({ segmentShares, keen: { share, factor } }: DecisionWorld): VisitorType[] {
  const others = (1 - share * factor) / (1 - share);
  return segmentShares.flatMap((one, segment) => [
    { segment, factor, probability: one * share },
    { segment, factor: others, probability: one * (1 - share) },
  ]);
}

/** What a reward brings, and whether it is there yet. */
function rewardOf({ settings: { delay, rows }, amounts }: DecisionWorld): (random: Random, row: number) => number {
  return (random, row) => {
    if (delay !== undefined) {
      // The world's worth is of what comes within the window: the window takes no part of it away.
      const after = -delay.mean * Math.log(1 - random.float() * (1 - Math.exp(-delay.window / delay.mean)));
      if (row / rows + after > 1) return 0;
    }
    if (amounts.length === 1) return (amounts[0] as { amount: number }).amount;
    let point = random.float();
    for (const { amount, probability } of amounts) {
      point -= probability;
      if (point < 0) return amount;
    }
    return (amounts.at(-1) as { amount: number }).amount;
  };
}

function expectation(world: DecisionWorld, values: Float64Array, context: number): number {
  let sum = 0;
  for (let place = context * world.items; place < (context + 1) * world.items; place += 1) sum += (world.target[place] as number) * (values[place] as number);
  return sum;
}

/** The reward model that is at hand without another data set: an item's mean reward in the log itself. */
function learnFromLog({ world, rows, places }: { world: DecisionWorld; rows: LoggedRows; places: Int32Array }): void {
  const { items, contexts } = world;
  const sums = new Float64Array(items);
  const counts = new Float64Array(items);
  for (const [row, place] of places.entries()) {
    sums[place % items] = (sums[place % items] as number) + (rows.reward[row] as number);
    counts[place % items] = (counts[place % items] as number) + 1;
  }
  const means = sums.map((sum, item) => (counts[item] === 0 ? 0 : sum / (counts[item] as number)));
  const byPlace = world.worth.map((_, place) => means[place % items] as number);
  const expected = Float64Array.from({ length: contexts }, (_, context) => expectation(world, byPlace, context));
  for (const [row, place] of places.entries()) {
    (rows.qLogged as Float64Array)[row] = byPlace[place] as number;
    (rows.qTarget as Float64Array)[row] = expected[Math.floor(place / items)] as number;
  }
}
