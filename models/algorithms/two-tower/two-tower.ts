import { z } from 'zod';
import { deriveSeed } from '../../neural/derive-seed.ts';
import { drawWeights } from '../../neural/draw-weights.ts';
import { Panels } from '../../neural/full-softmax.ts';
import { HeldOutRanks } from '../../neural/held-out-ranks.ts';
import { Histories } from '../../neural/histories.ts';
import { checkItemVectorsFit } from '../../neural/item-vectors-limit.ts';
import { mixedNegatives } from '../../neural/mixed-negatives.ts';
import { DropoutMasks, Network } from '../../neural/network.ts';
import { type Trainee, trainNetwork } from '../../neural/train-network.ts';
import { TrainedLayers } from '../../neural/trained-layers.ts';
import { inWorkspace } from '../../neural/workspace.ts';
import { createRandom } from '../../random.ts';
import type { Algorithm, Interactions, ItemAttributes } from '../algorithm.ts';
import { runFingerprint } from '../checkpoint.ts';
import { popularityPrior } from '../prior.ts';
import { ItemTower } from './item-tower.ts';
import { StepBatch } from './step-batch.ts';
import { namesOf, toldAttributes } from './told-attributes.ts';
import { twoTowerModel } from './two-tower-model.ts';
import { userTower } from './user-tower.ts';

const twoTowerParams = z.strictObject({
  /** Length of the vectors; rounded up to a multiple of 8. */
  dimensions: z.number().int().min(8).max(512).default(64),
  /** Of the user tower's hidden layer; rounded up likewise. */
  hidden: z.number().int().min(8).max(2048).default(128),
  /** How much each entry of a history counts of the one after it. The user tower reads one mean of the history for each: 1 all alike, 0 the last alone. */
  decays: z.array(z.number().min(0).max(1)).min(1).max(8).default([0.5, 0.9, 1]),
  /** Share of the cells that a step leaves out: more for sparse data. In 256ths. */
  dropout: z.number().min(0).max(0.9).default(0.2),
  /** How often a step leaves out an item's own vector where it has attributes, and so knows it by them alone. */
  idDropout: z.number().min(0).max(0.9).default(0.2),
  learningRate: z.number().positive().max(1e6).default(2e-3),
  /** Entries of histories a step, whose items are negatives to each other; fewer in small data. */
  batchEntries: z.number().int().min(16).max(65536).default(512),
  /** Items a step draws beside those. */
  negatives: z.number().int().min(8).max(65536).default(512),
  epochs: z.number().int().min(1).max(1000).default(100),
  /** Training stops after so many looks at what is held out without a better one. */
  patience: z.number().int().min(1).max(1000).default(5),
  /** Of the users, whose last entry is held out of training and says when to stop. */
  heldOutShare: z.number().min(0).max(0.5).default(0.1),
  maxHistory: z.number().int().min(1).max(1000).default(50),
});
export type TwoTowerParams = z.output<typeof twoTowerParams>;

const roundUp = (count: number): number => Math.ceil(count / 8) * 8;

/**
 * Two towers: one makes a vector of an item, from what the catalog says of it and one of its own (item-tower.ts), the other one of a user, from the item
 * vectors of the history (user-tower.ts); a score is their product. Covington, Adams, Sargin, "Deep neural networks for YouTube recommendations" (2016),
 * section 3, with the items' vectors shared by both sides. It is trained at every place of every history to tell what comes next from a sample of the catalog
 * (models/neural/mixed-negatives.ts), so that a step costs what it touches, however large the catalog is. There is no table of users: whoever has a history
 * has a vector. A history begins with a row of its own, the padding row of the graph, so that an empty one has an answer.
 */
export const twoTower: Algorithm<TwoTowerParams> = {
  name: 'two-tower',
  params: twoTowerParams,
  embeddings: 'made',
  attributes: 'read',
  retrieval: 'product',
  async train({ interactions, params, seed, attributes }, hooks = {}) {
    const { itemCount } = interactions;
    const width = roundUp(params.dimensions);
    checkItemVectorsFit({ itemCount, width });
    const counts = new Float64Array(itemCount);
    const hasEvents = new Uint8Array(itemCount);
    for (const item of interactions.items) {
      counts[item] = (counts[item] as number) + 1;
      hasEvents[item] = 1;
    }
    const told = toldAttributes(attributes, hasEvents);
    const fingerprint = runFingerprint({ algorithm: 'two-tower', params: { ...params, attributes: namesOf(told) }, seed, interactions });
    const { trainee, items, parameters } = prepare({ interactions, counts, hasEvents, attributes: told, width, params, seed });
    const { learningRate, epochs, patience } = params;
    await trainNetwork({ trainee, schedule: { learningRate, epochs, patience }, fingerprint, hooks });
    const layers = new TrainedLayers(parameters);
    const vectors = new Float32Array((itemCount + 1) * width);
    items.all(vectors);
    vectors.set(layers.valueOf('start'), itemCount * width);
    const { maxHistory, decays } = params;
    const { known } = items;
    return twoTowerModel({ width, itemCount, maxHistory, decays, vectors, known, layers, prior: popularityPrior(interactions) });
  },
};

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

function prepare({ interactions, counts, hasEvents, attributes, width, params, seed }: Input) {
  const { itemCount } = interactions;
  const { maxHistory, heldOutShare, batchEntries, negatives, decays, dropout, idDropout } = params;
  const histories = new Histories({ interactions, maxHistory, seed, heldOutShare, batchEntries });
  const { mostRows, batchesPerEpoch } = histories;
  const batch = histories.emptyBatch();
  /** Those that nobody touched are nobody's answer; learning that of them would be learning it of what shares their attributes. */
  const drawable = Uint32Array.from(hasEvents.keys()).filter((item) => hasEvents[item] === 1);
  const chances = { asTarget: counts.map((count) => count / interactions.items.length), beside: negatives / drawable.length };
  const work = new StepBatch({ batch, mostRows, drawable, negatives });
  const { mostItems, targets, drawnBeside } = work;
  const built = inWorkspace((workspace) => {
    const network = new Network({ workspace, mostRows });
    const tower = new ItemTower({ workspace, hasEvents, attributes, width, mostItems, idDropout });
    const masks = new DropoutMasks(dropout);
    const entries = { places: work.places, weights: work.weights, value: tower.value, grad: tower.grad };
    const from = userTower(network, { entries, sequences: batch.sequences, width, hidden: roundUp(params.hidden), decays, masks });
    const loss = mixedNegatives(network, { from, candidates: tower, mostCandidates: mostItems, chances });
    const all = { width, value: workspace.floats(Panels.rowsFor(itemCount) * width) };
    const panels = new Panels({ workspace, table: all, items: itemCount });
    const { known } = tower;
    const prepareLook = (): void => {
      work.place(tower);
      tower.forward();
    };
    const heldOut = new HeldOutRanks({ network, from, table: all, panels, known, prepare: prepareLook });
    return { network, items: tower, masks, loss, all, heldOut };
  });
  const { network, items, masks, loss, all, heldOut } = built;
  const { parameters } = network;
  drawWeights({ vectors: items.tables.map(({ value }) => value), parameters, seed: deriveSeed(seed, 0) });
  const trainee: Trainee = {
    parameters,
    tables: items.tables,
    batchesPerEpoch,
    step(at) {
      histories.fill(batch, at);
      masks.begin(deriveSeed(seed, 3, at.step));
      const random = createRandom(deriveSeed(seed, 4, at.step));
      work.place(items);
      work.draw(items, random);
      items.forward(random);
      network.forward({ rows: batch.rows, training: true });
      if (batch.rows === 0) return 0;
      const value = loss.run({ rows: batch.rows, targets, weights: batch.targets.weights, sequences: batch.sequences, drawnBeside });
      network.backward();
      items.backward();
      return value;
    },
    evaluate() {
      if (histories.heldOut.length > 0) items.all(all.value);
      return heldOut.score(histories, batch);
    },
  };
  return { trainee, items, parameters };
}
