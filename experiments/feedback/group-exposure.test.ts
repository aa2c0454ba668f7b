import { describe, expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { wilsonInterval } from '../binomial.ts';
import { sumGeneration } from './generation-sums.ts';
import { groupExposure } from './group-exposure.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const groups = ['a', 'b', 'c', 'd'];
const itemIds = Array.from({ length: 40 }, (_, item) => `${groups[item % 4]}${item}`);
const indexOf = new Map(itemIds.map((item, index) => [item, index]));
const group = (itemId: string) => itemId[0] as string;

/** Slates of two items whose groups have these shares, and as many events as wanted of each group. */
function found(
  { shown, wanted, slates = 600, events = 400 }: { shown: readonly number[]; wanted: readonly number[]; slates?: number; events?: number },
  own: number,
) {
  const random = createRandom(own);
  const drawOf = (shares: readonly number[]): string => {
    let point = random.float();
    let name = 0;
    while (name < 3 && point >= (shares[name] as number)) point -= shares[name++] as number;
    return itemIds[4 * random.below(10) + name] as string;
  };
  const sums = sumGeneration({
    log: {
      name: 'x',
      fromMs: 0,
      slates: Array.from({ length: slates }, (_, slate) => ({
        ...{ unit: `u${slate >> 1}`, items: [drawOf(shown), drawOf(shown)], engaged: [false, false], propensities: null, exploredSlots: [] },
      })),
      organic: Array.from({ length: events }, (_, event) => ({ unit: `o${event >> 1}`, itemId: drawOf(wanted) })),
    },
    indexOf,
    compared: () => true,
  });
  const steps = groupExposure({ sums, reference: 'organic', itemIds, group });
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return new Map(step.value.map((one) => [one.group, one]));
}

describe('groups of items', () => {
  it('that are shown for less than their share of demand are found, those that are never shown too', () => {
    const one = found({ shown: [0.6, 0.3, 0.1, 0], wanted: [0.3, 0.3, 0.2, 0.2], slates: 3000, events: 2000 }, seed);
    expect(one.get('a')?.ratio?.low).toBeGreaterThan(1.5);
    expect(one.get('c')?.ratio?.high).toBeLessThan(0.8);
    expect(one.get('d')).toMatchObject({ exposureShare: 0, items: 10 });
    expect(one.get('d')?.ratio?.high).toBeLessThan(0.1);
  });

  it('of which too little is known have no figure, and whether they do is no matter of what seems to be wanted', () => {
    const few = found({ shown: [0.25, 0.25, 0.25, 0.25], wanted: [0.7, 0.1, 0.1, 0.1], events: 150 }, seed);
    expect([...few.values()].map(({ ratio }) => ratio)).toEqual([null, null, null, null]);
    expect(few.get('a')?.demandShare).toBeGreaterThan(0.5);
  });

  it('that have just four fifths are hardly ever said to have less', () => {
    const trials = 200;
    let alarms = 0;
    for (let trial = 0; trial < trials; trial += 1) {
      const all = found({ shown: [0.36, 0.32, 0.16, 0.16], wanted: [0.2, 0.4, 0.2, 0.2] }, seed + trial);
      if ([...all.values()].some(({ ratio }) => ratio !== null && ratio.high < 0.8)) alarms += 1;
    }
    expect(wilsonInterval({ count: alarms, of: trials, level: 0.9999 })[0]).toBeLessThanOrEqual(0.05);
  });
});
