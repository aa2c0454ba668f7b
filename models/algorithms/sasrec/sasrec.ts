import { z } from 'zod';
import { deriveSeed } from '../../neural/derive-seed.ts';
import { drawWeights } from '../../neural/draw-weights.ts';
import { checkItemVectorsFit } from '../../neural/item-vectors-limit.ts';
import { TrainedLayers } from '../../neural/trained-layers.ts';
import { type Trainee, trainNetwork } from '../../neural/train-network.ts';
import { fullSoftmax, type Loss, Panels } from '../../neural/full-softmax.ts';
import { cpuLayers } from '../../neural/layers.ts';
import { DropoutMasks, type Flow, Network } from '../../neural/network.ts';
import { RowTable } from '../../neural/row-table.ts';
import { generalizedBce, sampledLoss, sampledSoftmax } from '../../neural/sampled-loss.ts';
import { inWorkspace } from '../../neural/workspace.ts';
import type { Algorithm, Interactions } from '../algorithm.ts';
import { runFingerprint } from '../checkpoint.ts';
import { popularityPrior } from '../prior.ts';
import { Histories } from '../../neural/histories.ts';
import { HeldOutRanks } from '../../neural/held-out-ranks.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { gpuTrainee } from './gpu-trainee.ts';
import { type Sampled, sampledBy } from './sampled.ts';
import { sasrecModel } from './sasrec-model.ts';
import { embedded, transformer } from './transformer.ts';

const sasrecParams = z.strictObject({
  /** Length of the vectors; rounded up to a multiple of 8 a head. */
  dimensions: z.number().int().min(8).max(512).default(64),
  blocks: z.number().int().min(1).max(8).default(2),
  heads: z.number().int().min(1).max(8).default(2),
  /** Share of the cells that a step leaves out: more for sparse data. In 256ths. */
  dropout: z.number().min(0).max(0.9).default(0.2),
  learningRate: z.number().positive().max(1e6).default(2e-3),
  /** Entries of histories a step; fewer in small data. */
  batchEntries: z.number().int().min(16).max(65536).default(2048),
  epochs: z.number().int().min(1).max(1000).default(100),
  /** Training stops after so many looks at what is held out without a better one. */
  patience: z.number().int().min(1).max(1000).default(5),
  /** Of the users, whose last entry is held out of training and says when to stop. */
  heldOutShare: z.number().min(0).max(0.5).default(0.1),
  maxHistory: z.number().int().min(1).max(1000).default(50),
  /** `softmax` is over all items. `auto`: that for up to 10,000 items, else `sampled-softmax`. */
  loss: z.enum(['auto', 'softmax', 'sampled-softmax', 'gbce']).default('auto'),
  /** Items drawn to stand for all others, where the loss samples. */
  negatives: z.number().int().min(8).max(8192).default(1024),
  /** Of gbce: 0 leaves the scores too sure, 1 makes them as sure as the data are. */
  calibration: z.number().min(0).max(1).default(0.75),
  /** `fused`: products are added in one rounding where the hardware can. Faster there, but no longer the same bits on every machine. Absent: `exact`. */
  arithmetic: z.enum(['exact', 'fused']).optional(),
});
export type SasrecParams = z.output<typeof sasrecParams>;

const innerFactor = 1;

/**
 * Self-attentive sequential recommendation (transformer.ts), trained at every place of every history to foretell what comes next: by the full softmax over
 * the catalog, as Klenitskiy and Vasilev, "Turning dross into gold loss" (2023), found to be what its quality hangs on, or over sampled items where the
 * catalog is large (models/neural/sampled-loss.ts). Scores are products with the same item vectors that go in. A history begins with a row of its own, the
 * padding row of the graph, so that an empty one has an answer and a first event is foretold as well.
 */
export const sasrec: Algorithm<SasrecParams> = {
  name: 'sasrec',
  retrieval: 'product',
  gpu: 'can',
  params: sasrecParams,
  async train({ interactions, params, seed }, hooks = {}) {
    const fingerprint = runFingerprint({ algorithm: 'sasrec', params, seed, interactions });
    const input = { interactions, params, seed, threads: hooks.threads };
    const { workspace, trainee, parameters, table, shape } = hooks.gpu === undefined ? prepare(input) : prepareOn(hooks.gpu, input);
    const { learningRate, epochs, patience } = params;
    try {
      await trainNetwork({ trainee, schedule: { learningRate, epochs, patience }, fingerprint, hooks });
    } finally {
      await workspace?.close();
    }
    return sasrecModel({
      shape,
      itemCount: interactions.itemCount,
      maxHistory: params.maxHistory,
      items: table.value.slice(0, (interactions.itemCount + 1) * shape.width),
      layers: new TrainedLayers(parameters),
      prior: popularityPrior(interactions),
    });
  },
};

type Input = { interactions: Interactions; params: SasrecParams; seed: number; threads: number | undefined };

function outline({ interactions, params, seed }: Input) {
  const { itemCount } = interactions;
  const { heads, blocks, maxHistory } = params;
  const width = Math.ceil(params.dimensions / (8 * heads)) * 8 * heads;
  checkItemVectorsFit({ itemCount, width });
  const histories = new Histories({ interactions, maxHistory, seed, heldOutShare: params.heldOutShare, batchEntries: params.batchEntries });
  return { shape: { width, heads, blocks, inner: innerFactor * width }, histories };
}

function prepareOn(gpu: Gpu, input: Input) {
  const { interactions, params, seed } = input;
  const { itemCount } = interactions;
  const { shape, histories } = outline(input);
  const { trainee, items, layers } = gpuTrainee({
    ...{ gpu, histories, itemCount, shape, seed },
    ...{ maxHistory: params.maxHistory, dropout: params.dropout, sampled: sampledBy(params, { itemCount, rows: histories.mostRows }) },
  });
  return { workspace: undefined, trainee, parameters: layers, table: items, shape };
}

function prepare(input: Input) {
  const { interactions, params, seed, threads } = input;
  const { itemCount } = interactions;
  const { maxHistory } = params;
  const { shape, histories } = outline(input);
  const { width } = shape;
  const batch = histories.emptyBatch();
  const sampled = sampledBy(params, { itemCount, rows: histories.mostRows });
  let step = 0;
  const built = inWorkspace(
    (workspace) => {
      const network = new Network({ workspace, mostRows: histories.mostRows });
      const table = new RowTable({ workspace, rows: Panels.rowsFor(itemCount), width, mostTouched: sampled?.mostTouched });
      const masks = new DropoutMasks(params.dropout);
      const mostLength = maxHistory + 1;
      const layers = cpuLayers(network, { masks, sequences: batch.sequences, mostLength });
      const out = transformer(layers, { embedded: embedded(network, { items: table, batch, mostLength }), shape });
      const panels = new Panels({ workspace, table, items: itemCount });
      const loss = lossOf({ network, from: out, table, panels, sampled, key: () => deriveSeed(seed, 4, step) });
      const heldOut = new HeldOutRanks({ network, from: out, table, panels });
      return { network, table, masks, loss, heldOut };
    },
    { ...(threads !== undefined && { threads }), fused: params.arithmetic === 'fused' },
  );
  const { network, table, masks, loss, heldOut } = built;
  drawWeights({ vectors: [table.value.subarray(0, (itemCount + 1) * width)], parameters: network.parameters, seed: deriveSeed(seed, 0) });
  const trainee: Trainee = {
    parameters: network.parameters,
    tables: [table],
    batchesPerEpoch: histories.batchesPerEpoch,
    step(place) {
      step = place.step;
      histories.fill(batch, place);
      masks.begin(deriveSeed(seed, 3, step));
      network.forward({ rows: batch.rows, training: true });
      if (batch.rows === 0) return 0;
      const value = loss.run(batch.targets);
      network.backward();
      return value;
    },
    evaluate: () => heldOut.score(histories, batch),
  };
  return { workspace: network.workspace, trainee, parameters: network.parameters, table, shape };
}

type Scored = { network: Network; from: Flow; table: RowTable; panels: Panels; sampled: Sampled | undefined; key: () => number };

function lossOf({ network, from, table, panels, sampled, key }: Scored): Loss {
  const { items } = panels;
  if (sampled === undefined) return fullSoftmax({ network, from, table, panels });
  const { negatives, calibration } = sampled;
  const of = calibration === undefined ? sampledSoftmax({ items, negatives }) : generalizedBce({ items, negatives, calibration });
  return sampledLoss(network, { from, table, items, negatives, of, key });
}
