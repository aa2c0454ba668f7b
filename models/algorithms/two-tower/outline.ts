import { deriveSeed } from '../../neural/derive-seed.ts';
import { Histories } from '../../neural/histories.ts';
import { DropoutMasks, type Parameter } from '../../neural/network.ts';
import type { Trainee } from '../../neural/train-network.ts';
import { createRandom } from '../../random.ts';
import type { Interactions, ItemAttributes } from '../algorithm.ts';
import type { TwoTowerParams } from './params.ts';
import { StepBatch } from './step-batch.ts';
import { StepItems } from './step-items.ts';

export const roundUp = (count: number): number => Math.ceil(count / 8) * 8;

type Input = {
  interactions: Interactions;
  /** [itemCount] of events, and whether there are any. */
  counts: Float64Array;
  hasEvents: Uint8Array;
  attributes: ItemAttributes;
  width: number;
  params: TwoTowerParams;
  seed: number;
};

/** What a training goes over, wherever it is computed. */
export type Outline = ReturnType<typeof outline>;

export function outline({ interactions, counts, hasEvents, attributes, width, params, seed }: Input) {
  const { maxHistory, heldOutShare, batchEntries, negatives, decays, dropout, idDropout } = params;
  const histories = new Histories({ interactions, maxHistory, seed, heldOutShare, batchEntries });
  const batch = histories.emptyBatch();
  /** Those that nobody touched are nobody's answer; learning that of them would be learning it of what shares their attributes. */
  const drawable = Uint32Array.from(hasEvents.keys()).filter((item) => hasEvents[item] === 1);
  const chances = { asTarget: counts.map((count) => count / interactions.items.length), beside: negatives / drawable.length };
  const work = new StepBatch({ batch, mostRows: histories.mostRows, drawable, negatives });
  const step = new StepItems({ hasEvents, attributes, mostItems: work.mostItems, idDropout });
  const masks = new DropoutMasks(dropout);
  return {
    ...{ histories, batch, work, step, chances, masks, width, hidden: roundUp(params.hidden), decays, itemCount: interactions.itemCount, seed },
    mostLength: maxHistory + 1,
    /** Everything that a step draws. */
    begin(at: { epoch: number; batch: number; step: number }): void {
      histories.fill(batch, at);
      masks.begin(deriveSeed(seed, 3, at.step));
      const random = createRandom(deriveSeed(seed, 4, at.step));
      work.place(step);
      work.draw(step, random);
      step.choose(random);
    },
    /** What is held out is in the batch; nothing is left out. */
    look(): void {
      work.place(step);
      step.choose();
    },
  };
}

/** `all` writes the vectors of all items, [itemCount, width]. */
export type Prepared = { trainee: Trainee; parameters: readonly Parameter[]; all: (into: Float32Array) => void };
