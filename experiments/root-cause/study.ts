import { type CauseName, causes, type Diagnosis } from '../../models/contracts/root-cause.ts';
import { createRandom } from '../../models/random.ts';
import { diagnose } from './diagnose.ts';
import { plants } from './plant-causes.ts';
import { drawFacts } from './simulate-facts.ts';
import { drawWorld, type SimulatedSize } from './simulated-world.ts';

export const outside = (Object.keys(causes) as CauseName[]).filter((cause) => causes[cause] === 'outside');
export const faults = (Object.keys(causes) as CauseName[]).filter((cause) => causes[cause] !== 'outside');

export type Case = { seed: number; planted: readonly CauseName[] };
export type Outcome = Case & {
  /** Is the first suspect of a layer in which something was planted; and is it what was planted? */
  layer: boolean;
  first: boolean;
  /** Is all that was planted among the first three? */
  three: boolean;
  /** Is any fault named? */
  faultNamed: boolean;
  diagnosis: Diagnosis;
};

/** Draws a surface, plants what is to be planted, and asks what is wrong. */
export function tryCase({ seed, planted }: Case, size?: SimulatedSize): Outcome {
  const world = drawWorld(seed, size);
  for (const cause of planted) plants[cause](world);
  const diagnosis = diagnose(drawFacts(world));
  const named = diagnosis.suspects.map(({ cause }) => cause);
  const own = planted.some((cause) => causes[cause] !== 'outside') ? planted.filter((cause) => causes[cause] !== 'outside') : planted;
  return {
    seed,
    planted,
    layer: planted.length === 0 ? diagnosis.layer === null : own.some((cause) => causes[cause] === diagnosis.layer),
    first: named[0] !== undefined && own.includes(named[0]),
    three: own.every((cause) => named.slice(0, 3).includes(cause)),
    faultNamed: diagnosis.suspects.some(({ layer }) => layer !== 'outside'),
    diagnosis,
  };
}

/** One fault, or in a third of cases two, or one while the season is another, a promotion is on or other visitors come: as many of each fault. */
export function faultyCases(count: number, firstSeed: number): Case[] {
  return Array.from({ length: count }, (_, at) => {
    const seed = firstSeed + at;
    const random = createRandom(seed * 2 + 1);
    const fault = faults[at % faults.length] as CauseName;
    const turn = Math.floor(at / faults.length) % 6;
    const others = faults.filter((cause) => cause !== fault);
    if (turn === 1) return { seed, planted: [fault, others[random.below(others.length)] as CauseName] };
    if (turn === 4) return { seed, planted: [outside[random.below(outside.length)] as CauseName, fault] };
    return { seed, planted: [fault] };
  });
}

/** Nothing is wrong: on a day like any other, in a season, with a promotion, with other visitors, in turn. */
export const soundCases = (count: number, firstSeed: number): Case[] =>
  Array.from({ length: count }, (_, at) => ({ seed: firstSeed + at, planted: at % 4 === 0 ? [] : [outside[(at % 4) - 1] as CauseName] }));
