import { UnderstudyError } from '../../models/contracts/problem.ts';
import { combinations, type TuningRange, type TuningSpace } from '../../models/contracts/tuning.ts';
import { createRandom, type Random } from '../../models/random.ts';

export type TrialParams = ReturnType<typeof combinations>[number];
type Draw = { space: TuningSpace /** All combinations where nobody says. */; trials?: number | undefined; seed: number };

/**
 * The points of a space that are tried. Without `trials`, and where lists have no more combinations than that, all combinations. Else a Latin hypercube:
 * each parameter's range, or list, is cut into as many equal parts as there are trials, each part is drawn from once, and which parts of different
 * parameters meet is up to the seed (McKay, Beckman and Conover 1979, sec. 2). What comes twice is tried once, so that there may be fewer.
 * @throws UND-INPUT for a range without `trials`
 */
export function drawTrials({ space, trials, seed }: Draw): TrialParams[] {
  const lists = Object.entries(space).flatMap(([name, one]) => (Array.isArray(one) ? [[name, one] as const] : []));
  const ranges = Object.keys(space).length - lists.length;
  if (ranges > 0 && trials === undefined) throw new UnderstudyError('UND-INPUT', 'A range has no combinations: say how many trials are drawn from it');
  const many = lists.reduce((product, [, { length }]) => product * length, 1);
  if (trials === undefined || (ranges === 0 && many <= trials)) return combinations(Object.fromEntries(lists));
  const random = createRandom(seed);
  const drawn = Array.from({ length: trials }, (): TrialParams => ({}));
  for (const name of Object.keys(space).sort()) {
    const one = space[name] as TuningSpace[string];
    shuffled(trials, random).forEach((part, trial) => {
      const place = (part + random.float()) / trials;
      (drawn[trial] as TrialParams)[name] = Array.isArray(one) ? (one[Math.floor(place * one.length)] as TrialParams[string]) : within(one, place);
    });
  }
  return [...new Map(drawn.map((params) => [JSON.stringify(params), params])).values()];
}

/** At `place` of the range, 0 to 1; to so many digits as tell a thousandth of it. */
function within({ min, max, scale, integer }: TuningRange, place: number): number {
  if (integer) {
    // Each whole number has a part of the range to itself.
    const [from, to] = [min - 0.5, max + 0.5];
    const value = scale === 'log' ? Math.max(from, 0.5) * (to / Math.max(from, 0.5)) ** place : from + (to - from) * place;
    return Math.min(max, Math.max(min, Math.round(value)));
  }
  const value = scale === 'log' ? min * (max / min) ** place : min + (max - min) * place;
  const digits = 4 + Math.max(0, Math.floor(Math.log10(Math.max(Math.abs(min), Math.abs(max)) / (max - min))));
  return Math.min(max, Math.max(min, Number(value.toPrecision(Math.min(15, digits)))));
}

/** 0 .. count - 1 in an order of chance. */
export function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let left = count - 1; left > 0; left -= 1) {
    const other = random.below(left + 1);
    [order[left], order[other]] = [order[other] as number, order[left] as number];
  }
  return order;
}
