import fc from 'fast-check';
import { createRandom } from '../../../models/random.ts';
import { type EstimatorName, type Hyperparameters, scoreRows } from './estimators.ts';
import { type LoggedRows, weightsOf } from './logged-rows.ts';

export const parameters = { clip: 3, switch: 3, shrinkage: 4 };

export type World = { actions: number; contexts: { logging: number[]; target: number[]; worth: number[]; predicted: number[] }[] };

/** Policies, true values and a wrong reward model, all at random. */
export const anyWorld = fc
  .record({ actions: fc.integer({ min: 2, max: 5 }), contexts: fc.integer({ min: 1, max: 3 }), seed: fc.nat() })
  .map(({ actions, contexts, seed }): World => {
    const random = createRandom(seed);
    const policy = () => {
      const raw = Array.from({ length: actions }, () => random.float() + 0.05);
      const total = raw.reduce((sum, one) => sum + one, 0);
      return raw.map((one) => one / total);
    };
    const values = () => Array.from({ length: actions }, () => random.float());
    return { actions, contexts: Array.from({ length: contexts }, () => ({ logging: policy(), target: policy(), worth: values(), predicted: values() })) };
  });

/** Every (context, action, reward) once, with its probability: the expectation of an estimator that is a mean over rows is exact. */
export function population({ contexts }: World): { rows: LoggedRows; probability: number[]; truth: number } {
  const columns = { reward: [] as number[], propensity: [] as number[], target: [] as number[], qLogged: [] as number[], qTarget: [] as number[] };
  const probability: number[] = [];
  let truth = 0;
  for (const { logging, target, worth, predicted } of contexts) {
    const qTarget = target.reduce((sum, chance, action) => sum + chance * (predicted[action] as number), 0);
    logging.forEach((propensity, action) => {
      truth += ((target[action] as number) * (worth[action] as number)) / contexts.length;
      for (const reward of [0, 1]) {
        columns.reward.push(reward);
        columns.propensity.push(propensity);
        columns.target.push(target[action] as number);
        columns.qLogged.push(predicted[action] as number);
        columns.qTarget.push(qTarget);
        probability.push((propensity * (reward === 1 ? (worth[action] as number) : 1 - (worth[action] as number))) / contexts.length);
      }
    });
  }
  const rows = Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, Float64Array.from(values)])) as unknown as LoggedRows;
  return { rows, probability, truth };
}

export const scoresOf = (name: EstimatorName, rows: LoggedRows, given: Hyperparameters = parameters) => {
  const scores = new Float64Array(rows.reward.length);
  const value = scoreRows(name, { rows, weights: weightsOf(rows), parameters: given, scores });
  return { scores, value };
};

/** A log of a world, in random order. */
export function sample(world: World, count: number, seed: number): LoggedRows {
  const random = createRandom(seed);
  const { rows, probability } = population(world);
  const drawn = Array.from({ length: count }, () => {
    let point = random.float();
    const row = probability.findIndex((chance) => {
      point -= chance;
      return point < 0;
    });
    return row < 0 ? probability.length - 1 : row;
  });
  const take = (values: Float64Array | undefined) => Float64Array.from(drawn, (row) => values?.[row] as number);
  return { reward: take(rows.reward), propensity: take(rows.propensity), target: take(rows.target), qLogged: take(rows.qLogged), qTarget: take(rows.qTarget) };
}

/** The columns of numbers, each changed alike; the others left out. */
export function mapColumns(rows: LoggedRows, change: (values: Float64Array) => Float64Array): LoggedRows {
  const columns = Object.entries(rows).filter((entry): entry is [string, Float64Array] => entry[1] instanceof Float64Array);
  return Object.fromEntries(columns.map(([name, values]) => [name, change(values)])) as unknown as LoggedRows;
}
