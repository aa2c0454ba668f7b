import { gpuEmbedded } from '../../gpu/embedded.ts';
import { gpuFullSoftmax } from '../../gpu/full-softmax.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { gpuHeldOutRanks } from '../../gpu/held-out-ranks.ts';
import { gpuLayers } from '../../gpu/layers.ts';
import { GpuNetwork } from '../../gpu/network.ts';
import { gpuSampledLoss } from '../../gpu/sampled-loss.ts';
import { boundsOf } from '../../gpu/sequences.ts';
import { gpuWeights } from '../../gpu/weights.ts';
import { deriveSeed } from '../../neural/derive-seed.ts';
import { drawWeights } from '../../neural/draw-weights.ts';
import type { Histories } from '../../neural/histories.ts';
import { DropoutMasks, type Parameter } from '../../neural/network.ts';
import type { Trainee } from '../../neural/train-network.ts';
import type { Sampled } from './sampled.ts';
import { embeddingScale, type Shape, transformer } from './transformer.ts';

type Input = {
  gpu: Gpu;
  histories: Histories;
  itemCount: number;
  shape: Shape;
  maxHistory: number;
  dropout: number;
  /** Absent: the loss is over all items. */
  sampled: Sampled | undefined;
  seed: number;
};

/**
 * What sasrec.ts trains, on a GPU: the same network from the same weights over the same batches, the same cells left out of them, and the same
 * items drawn beside them.
 * @returns what it learns, as the CPU sees it: the vectors of items, and the rest
 * @throws UND-GPU-MEMORY
 */
export function gpuTrainee({ gpu, histories, itemCount, shape, maxHistory, dropout, sampled, seed }: Input): {
  trainee: Trainee;
  items: Parameter;
  layers: Parameter[];
} {
  const batch = histories.emptyBatch();
  const network = new GpuNetwork({ gpu, mostRows: histories.mostRows });
  const { width } = shape;
  const mostLength = maxHistory + 1;
  const sequences = network.array(2 * histories.mostRows);
  const table = network.table('items', itemCount + 1, width, sampled?.mostTouched);
  const positions = network.parameter('positions', mostLength, width);
  const masks = new DropoutMasks(dropout);
  const out = transformer(gpuLayers(network, { masks, sequences, mostLength }), {
    embedded: gpuEmbedded(network, { table, positions, scale: embeddingScale(width), batch }),
    shape,
  });
  const of = { network, from: out, table, items: itemCount };
  let step = 0;
  const loss = sampled === undefined ? gpuFullSoftmax(of) : gpuSampledLoss({ ...of, ...sampled, key: () => deriveSeed(seed, 4, step) });
  const placeSequences = (): void => gpu.write(sequences, boundsOf(batch.sequences));
  const ranks = gpuHeldOutRanks({ network, from: out, vectors: table.on.value, items: itemCount, batch, prepare: placeSequences });
  const [, ...layers] = network.parameters;
  drawWeights({ vectors: [table.value], parameters: layers, seed: deriveSeed(seed, 0) });
  const trainee: Trainee = {
    parameters: network.parameters,
    tables: [],
    elsewhere: gpuWeights(network),
    batchesPerEpoch: histories.batchesPerEpoch,
    async step(place) {
      step = place.step;
      histories.fill(batch, place);
      masks.begin(deriveSeed(seed, 3, step));
      placeSequences();
      network.forward({ rows: batch.rows, training: true });
      if (batch.rows === 0) return 0;
      loss.run(batch.targets);
      network.backward();
      return loss.value();
    },
    evaluate: () => ranks(histories),
  };
  return { trainee, items: table, layers };
}
