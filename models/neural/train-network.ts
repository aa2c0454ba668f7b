import { giveWay, packCheckpoint, unpackCheckpoint } from '../algorithms/checkpoint.ts';
import type { TrainHooks } from '../algorithms/algorithm.ts';
import { UnderstudyError } from '../contracts/problem.ts';
import { Adam, type AdamRates, type Moments, noMoments } from './adam.ts';
import type { Parameter } from './network.ts';
import type { RowTable } from './row-table.ts';

/** What is trained. All that it draws at random comes from its seed and the step's number, so that a resumed training goes on to the same result. */
export type Trainee = {
  parameters: readonly Parameter[];
  tables: readonly RowTable[];
  /** Present: what is trained is not here, but where this says; there are no tables then, and parameters hold what was last saved. */
  elsewhere?: Elsewhere;
  batchesPerEpoch: number;
  /** Makes the gradients of one batch, and gives its loss. Epochs begin in order, each with batch 0 or, resumed, with a later one. */
  step(place: { epoch: number; batch: number; step: number }): number | Promise<number>;
  /** How good it is on what was held out, larger is better; undefined where nothing was. */
  evaluate(): number | undefined | Promise<number | undefined>;
};

/** A parameter, and what the next step reads of it besides. */
export type Learned = { value: Float32Array; moments: Moments };
/** Weights, gradients and moments that are not in the memory of the CPU: those of the parameters, in their order. */
export type Elsewhere = {
  load(learned: readonly Learned[]): void;
  change(rates: AdamRates): void;
  save(learned: readonly Learned[], what: { moments: boolean }): Promise<void>;
};

export type Schedule = {
  learningRate: number;
  epochs: number;
  /** It stops after so many looks at what was held out without a better one. */
  patience: number;
};

/** So many steps lie between two looks at least: in small data an epoch is soon over. */
const leastStepsBetweenLooks = 20;
/** A loss that is so many times the first one's does not come back, though it may stay a number for long. */
const lostTimes = 100;

/**
 * Trains until the epochs are over, or what was held out gets no better; the weights of the best look are kept.
 * @throws UND-TRAINING-DIVERGED naming the step, where the loss is no number or out of all proportion, or a weight no finite number
 */
export async function trainNetwork({
  trainee,
  schedule,
  fingerprint,
  hooks,
}: {
  trainee: Trainee;
  schedule: Schedule;
  fingerprint: string;
  hooks: TrainHooks;
}): Promise<void> {
  const { batchesPerEpoch } = trainee;
  const { epochs, patience, learningRate } = schedule;
  const total = epochs * batchesPerEpoch;
  const looksEvery = Math.ceil(leastStepsBetweenLooks / Math.max(1, batchesPerEpoch));
  const adam = new Adam({ learningRate });
  const state = stateOf(trainee);
  const resumed = hooks.resumeFrom && unpackCheckpoint(hooks.resumeFrom, fingerprint);
  if (resumed !== undefined) for (const [name, array] of Object.entries(state.arrays)) array.set(resumed.arrays[name] as Float32Array & Float64Array);
  const from = resumed?.done ?? 0;
  for (let step = 0; step < from; step += 1) adam.advance();
  const { elsewhere } = trainee;
  elsewhere?.load(state.parameters);

  for (let step = from; step < total && state.progress.looksSinceBest < patience; step += 1) {
    const [epoch, batch] = [Math.floor(step / batchesPerEpoch), step % batchesPerEpoch];
    for (const table of trainee.tables) table.clear();
    const loss = await trainee.step({ epoch, batch, step });
    const note = `epoch ${epoch + 1} of ${epochs}, loss ${loss.toFixed(4)}`;
    if (step === 0) state.firstLoss = loss;
    if (!(loss <= lostTimes * Math.max(1, state.firstLoss)))
      throw diverged(`the loss is ${loss} at step ${step + 1} (epoch ${epoch + 1}), after ${state.firstLoss.toFixed(2)} at the first`, learningRate);
    adam.advance();
    if (elsewhere === undefined) for (const { parameter, moments } of state.parameters) adam.changeParameter(parameter, moments);
    else elsewhere.change(adam.rates);
    for (const { table, moments } of state.tables) adam.changeTable(table, moments);
    const looks = batch === batchesPerEpoch - 1 && ((epoch + 1) % looksEvery === 0 || epoch === epochs - 1);
    const score = looks ? await trainee.evaluate() : undefined;
    if (score !== undefined) await elsewhere?.save(state.parameters, { moments: false });
    if (score !== undefined) state.look(score);
    const done = step + 1;
    const checkpoint = async (): Promise<Uint8Array> => {
      await elsewhere?.save(state.parameters, { moments: true });
      return packCheckpoint({ fingerprint, done, arrays: state.arrays });
    };
    await giveWay();
    await hooks.onStep?.({
      ...{ done, total, checkpoint },
      note: score === undefined ? note : `${note}, held out ${score.toFixed(4)}`,
      figures: score === undefined ? { loss } : { loss, held_out: score },
    });
  }
  if (state.progress.hasBest) state.restoreBest();
  else await elsewhere?.save(state.parameters, { moments: false });
  const broken = state.named.find(({ value }) => !value.every(Number.isFinite));
  if (broken !== undefined) throw diverged(`${broken.name} holds what is no finite number`, learningRate);
}

function diverged(what: string, learningRate: number): UnderstudyError {
  return new UnderstudyError('UND-TRAINING-DIVERGED', `Training diverged: ${what}. The learning rate is ${learningRate}; try ${learningRate / 10}`);
}

type Named = { name: string; value: Float32Array; best: Float32Array; moments: Moments };

/** Everything that a training is at between two steps, by names. */
function stateOf({ parameters, tables }: Trainee) {
  const name = ({ value }: { value: Float32Array }, as: string): Named => ({
    name: as,
    value,
    best: new Float32Array(value.length),
    moments: noMoments(value.length),
  });
  const byParameter = parameters.map((parameter) => ({ parameter, ...name(parameter, parameter.name) }));
  const byTable = tables.map((table, index) => ({ table, ...name(table, `table ${index}`) }));
  const named: Named[] = [...byParameter, ...byTable];
  /** Best score, looks since it, whether there is one, first loss. */
  const numbers = Float64Array.of(0, 0, 0, 0);
  const arrays: Record<string, Float32Array | Float64Array> = { numbers };
  for (const one of named) {
    arrays[`${one.name}: value`] = one.value;
    arrays[`${one.name}: best`] = one.best;
    arrays[`${one.name}: first moment`] = one.moments.first;
    arrays[`${one.name}: second moment`] = one.moments.second;
  }
  return {
    arrays,
    named,
    parameters: byParameter,
    tables: byTable,
    progress: {
      get looksSinceBest(): number {
        return numbers[1] as number;
      },
      get hasBest(): boolean {
        return numbers[2] === 1;
      },
    },
    get firstLoss(): number {
      return numbers[3] as number;
    },
    set firstLoss(loss: number) {
      numbers[3] = loss;
    },
    look(score: number): void {
      if (numbers[2] === 1 && score <= (numbers[0] as number)) {
        numbers[1] = (numbers[1] as number) + 1;
        return;
      }
      numbers.set([score, 0, 1]);
      for (const { value, best } of named) best.set(value);
    },
    restoreBest(): void {
      for (const { value, best } of named) value.set(best);
    },
  };
}
