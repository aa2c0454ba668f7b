import { gpuDecayedMeans } from '../../gpu/decayed-means.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { gpuHeldOutRanks } from '../../gpu/held-out-ranks.ts';
import { gpuLayers } from '../../gpu/layers.ts';
import { gpuMixedNegatives } from '../../gpu/mixed-negatives.ts';
import { GpuNetwork } from '../../gpu/network.ts';
import { boundsOf } from '../../gpu/sequences.ts';
import { gpuWeights } from '../../gpu/weights.ts';
import { deriveSeed } from '../../neural/derive-seed.ts';
import { drawWeights } from '../../neural/draw-weights.ts';
import { gpuAllItems, gpuItemTower } from './gpu-item-tower.ts';
import { allItems, sharesOf } from './item-tower.ts';
import type { Outline, Prepared } from './outline.ts';
import { userTower } from './user-tower.ts';

/** The network on a GPU, without its weights: `run` computes loss and gradients of the batch that was placed, and waits for the loss alone. */
export function gpuTowers(gpu: Gpu, { histories, batch, work, step, chances, masks, width, hidden, decays, mostLength }: Outline) {
  const network = new GpuNetwork({ gpu, mostRows: histories.mostRows });
  const sequences = network.array(2 * histories.mostRows);
  const tower = gpuItemTower(network, { step, width });
  const entries = { places: work.places, weights: work.weights, value: tower.value, grad: tower.grad, most: step.mostItems };
  const means = gpuDecayedMeans(network, { entries, width, decays, sequences, name: 'start' });
  const from = userTower(gpuLayers(network, { masks, sequences, mostLength }), { means, width, hidden });
  const candidates = {
    ...{ value: tower.value, grad: tower.grad, items: step.items },
    get count(): number {
      return step.count;
    },
  };
  const loss = gpuMixedNegatives({ network, from, candidates, mostCandidates: step.mostItems, chances });
  const place = (): void => gpu.write(sequences, boundsOf(batch.sequences));
  return {
    ...{ network, tower, from, place },
    async run(): Promise<number> {
      place();
      network.forward({ rows: batch.rows, training: true });
      if (batch.rows === 0) return 0;
      const { targets, drawnBeside } = work;
      loss.run({ rows: batch.rows, targets, weights: batch.targets.weights, sequences: batch.sequences, drawnBeside });
      network.backward();
      return loss.value();
    },
  };
}

/**
 * What cpu-trainee.ts trains, on a GPU: the same networks from the same weights over the same batches, with the same items drawn beside them and the same cells
 * left out.
 * @throws UND-GPU-MEMORY
 */
export function gpuTrainee(gpu: Gpu, outline: Outline): Prepared {
  const { histories, batch, step, itemCount, seed } = outline;
  const { network, tower, from, place, run } = gpuTowers(gpu, outline);
  const [ids, ofAttributes] = tower.tables;
  const parameters = network.parameters.filter((one) => one !== ids && one !== ofAttributes);
  drawWeights({ vectors: [ids.value, ofAttributes.value], parameters, seed: deriveSeed(seed, 0) });
  const look = (): void => {
    outline.look();
    place();
  };
  const ranks = (): (() => Promise<number | undefined>) => {
    const all = gpuAllItems(network, { step, tower });
    const score = gpuHeldOutRanks({ network, from, vectors: all.value, items: itemCount, known: step.known, batch, prepare: look });
    return () => {
      all.make();
      return score(histories);
    };
  };
  return {
    trainee: {
      parameters: network.parameters,
      tables: [],
      elsewhere: gpuWeights(network),
      batchesPerEpoch: histories.batchesPerEpoch,
      step(at) {
        outline.begin(at);
        return run();
      },
      evaluate: histories.heldOut.length === 0 ? () => undefined : ranks(),
    },
    parameters,
    all(into) {
      allItems(step, { width: outline.width, ids: ids.value, ofAttributes: ofAttributes.value, shares: sharesOf(step.attributes) }, into);
    },
  };
}
