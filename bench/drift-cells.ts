import { drawRows, type Shift, shifts } from '../experiments/drift/draw-samples.ts';
import { placesTo, shuffle } from '../experiments/drift/permutations.ts';
import { alarmsOf, tryRates, tryRows, tryStays } from '../experiments/drift/study.ts';
import type { Vectors } from '../experiments/drift/vectors.ts';
import { createRandom } from '../models/random.ts';
import { type Apart, apartOf, drawWindow, halvesAlarms, retrainingAlarms, trainItems, type WindowShift, windowShifts } from './drift-retrainings.ts';

export const sizes = [100, 1000, 10_000] as const;
/** Of replications in which nothing has moved, and of those of a shift. */
export const replications = { level: 2000, power: 200 } as const;
/** Whose trainings differ in their seeds alone, or in their shoppers too. */
export const nulls = ['seeds', 'shoppers'] as const;
export type Null = (typeof nulls)[number];
/** At 10,000 items, so many trainings, of which quadruples are drawn. */
export const poolSize = 48;

/** One row of the study. `tryOne`: alarms of one replication, by test. */
export type Cell = { name: string; replications: number; tryOne: (replication: number) => Promise<Record<string, boolean>> | Record<string, boolean> };

/** Seeds on which nothing was tried out. */
const firstSeed = 600_000_000;

export function driftCells(): Cell[] {
  return sizes.flatMap((n) => [...rowCells(n), ...retrainingCells(n)]);
}

function rowCells(n: number): Cell[] {
  const seedOf = (place: number, replication: number) => firstSeed + place * 1_000_000 + n * 10_000_000 + 3 * replication;
  const power = n === 10_000 ? replications.power / 10 : replications.power;
  return [
    ...shifts.map(
      (shift: Shift, place): Cell => ({
        name: `rows/${n}/${shift}`,
        replications: shift === 'none' ? replications.level : power,
        tryOne: (replication) => tryRows({ shift, n, seed: seedOf(place, replication) }),
      }),
    ),
    {
      name: `rows/${n}/identical`,
      replications: power,
      tryOne: (replication) => {
        const rows = drawRows(n, { random: createRandom(seedOf(7, replication)), shift: 'none' });
        return alarmsOf(rows, rows, { seed: replication, isPower: true });
      },
    },
    ...[0, 0.1].map(
      (lift, place): Cell => ({
        name: `rates/${n}/${lift}`,
        replications: lift === 0 ? replications.level : power,
        tryOne: (replication) => tryRates({ lift, n, seed: seedOf(8 + place, replication) }),
      }),
    ),
    ...[0, 0.2].map(
      (lift, place): Cell => ({
        name: `stays/${n}/${lift}`,
        replications: lift === 0 ? replications.level : power,
        tryOne: (replication) => tryStays({ lift, n, seed: seedOf(10 + place, replication) }),
      }),
    ),
  ];
}

function retrainingCells(n: number): Cell[] {
  const power = n === 10_000 ? replications.power / 10 : replications.power / 2;
  return nulls.flatMap((kind) => {
    const seed = retrainedSeed(n);
    const quadruple = n === 10_000 ? fromPool({ n, kind, seed }) : anew({ n, kind, seed });
    return windowShifts.map(
      (shift): Cell => ({
        name: `retrained/${n}/${kind}/${shift}`,
        replications: shift === 'none' ? replications.level : power,
        async tryOne(replication) {
          const { models, apart } = await quadruple(shift, replication);
          return { ...retrainingAlarms(apart), ...halvesAlarms(models[0] as Vectors, models.at(-1) as Vectors, replication) };
        },
      }),
    );
  });
}

type Draw = { n: number; kind: Null; seed: number };
/** Four trainings, the last of them of the shifted window. */
type Quadruple = (shift: WindowShift, replication: number) => Promise<{ models: Vectors[]; apart: Apart[][] }>;

/** One training, of the one window or of shoppers of its own. */
const trainOne = ({ n, kind }: Draw, shift: WindowShift, seed: number): Promise<Vectors> =>
  trainItems(drawWindow({ items: n, seed: kind === 'seeds' ? 1 : seed, shift }), seed);

const askedOf = (n: number, seed: number) => shuffle(placesTo(n), createRandom(seed)).subarray(0, n === 10_000 ? 30 : 100);

/** Trainings that no other replication has. */
function anew(draw: Draw): Quadruple {
  return async (shift, replication) => {
    const seed = draw.seed + 40_000_000 * windowShifts.indexOf(shift) + 4 * replication;
    const models: Vectors[] = [];
    for (let place = 0; place < 4; place += 1) models.push(await trainOne(draw, place < 3 ? 'none' : shift, seed + place));
    const asked = askedOf(draw.n, seed);
    return { models, apart: pairs(models, (one, other) => apartOf(one, other, asked)) };
  };
}

/** Of a pool, the four trainings of a replication; the last is of the shifted window. */
const placesOf = (seed: number, replication: number): Uint32Array => {
  const random = createRandom(seed + replication);
  return shuffle(placesTo(poolSize), random).subarray(0, 4);
};
const retrainedSeed = (n: number): number => firstSeed + n * 1000;

/** Which trainings of the pool a replication of 10,000 items is of. */
export const trainingsOf = (replication: number): Uint32Array => placesOf(retrainedSeed(10_000), replication);

/** Trainings of a pool: with thousands of items, thousands of trainings take too long. */
function fromPool(draw: Draw): Quadruple {
  const trained = new Map<string, Promise<Vectors>>();
  const known = new Map<string, Apart>();
  const asked = askedOf(draw.n, draw.seed);
  return async (shift, replication) => {
    const places = placesOf(draw.seed, replication);
    const names = [0, 1, 2, 3].map((at) => `${at < 3 ? 'none' : shift} ${places[at]}`);
    const models: Vectors[] = [];
    for (const [at, name] of names.entries()) {
      const model = trained.get(name) ?? trainOne(draw, at < 3 ? 'none' : shift, draw.seed + (places[at] as number));
      trained.set(name, model);
      models.push(await model);
    }
    const apart = pairs([0, 1, 2, 3], (a, b) => {
      const name = [names[a], names[b]].sort().join();
      const found = known.get(name) ?? apartOf(models[a] as Vectors, models[b] as Vectors, asked);
      known.set(name, found);
      return found;
    });
    return { models, apart };
  };
}

function pairs<Model>(models: readonly Model[], between: (one: Model, other: Model) => Apart): Apart[][] {
  const apart: Apart[][] = models.map(() => []);
  for (const [a, one] of models.entries())
    for (let b = 0; b < a; b += 1) {
      const found = between(models[b] as Model, one);
      (apart[a] as Apart[])[b] = found;
      (apart[b] as Apart[])[a] = found;
    }
  return apart;
}
