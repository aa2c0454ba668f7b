import { decayedMeans } from '../../neural/decayed-means.ts';
import { deriveSeed } from '../../neural/derive-seed.ts';
import { drawWeights } from '../../neural/draw-weights.ts';
import { Panels } from '../../neural/full-softmax.ts';
import { HeldOutRanks } from '../../neural/held-out-ranks.ts';
import { cpuLayers } from '../../neural/layers.ts';
import { mixedNegatives } from '../../neural/mixed-negatives.ts';
import { Network } from '../../neural/network.ts';
import { inWorkspace } from '../../neural/workspace.ts';
import { ItemTower } from './item-tower.ts';
import type { Outline, Prepared } from './outline.ts';
import { userTower } from './user-tower.ts';

/** The towers without their weights: `run` makes loss and gradients of what the outline has begun, `score` looks at what is held out. */
export function cpuTowers({ histories, batch, work, step, chances, masks, width, hidden, decays, itemCount, mostLength, look }: Outline) {
  const { targets, drawnBeside } = work;
  const built = inWorkspace((workspace) => {
    const network = new Network({ workspace, mostRows: histories.mostRows });
    const tower = new ItemTower({ workspace, step, width });
    const entries = { places: work.places, weights: work.weights, value: tower.value, grad: tower.grad };
    const means = decayedMeans(network, { entries, width, decays, sequences: batch.sequences, name: 'start' });
    const from = userTower(cpuLayers(network, { masks, sequences: batch.sequences, mostLength }), { means, width, hidden });
    const loss = mixedNegatives(network, { from, candidates: tower, mostCandidates: step.mostItems, chances });
    const all = { width, value: workspace.floats(Panels.rowsFor(itemCount) * width) };
    const panels = new Panels({ workspace, table: all, items: itemCount });
    const prepareLook = (): void => {
      look();
      tower.forward();
    };
    const heldOut = new HeldOutRanks({ network, from, table: all, panels, known: step.known, prepare: prepareLook });
    return { network, tower, loss, all, heldOut };
  });
  const { network, tower, loss, all, heldOut } = built;
  return {
    ...{ network, tower },
    run(): number {
      tower.forward();
      network.forward({ rows: batch.rows, training: true });
      if (batch.rows === 0) return 0;
      const value = loss.run({ rows: batch.rows, targets, weights: batch.targets.weights, sequences: batch.sequences, drawnBeside });
      network.backward();
      tower.backward();
      return value;
    },
    score(): number | undefined {
      if (histories.heldOut.length > 0) tower.all(all.value);
      return heldOut.score(histories, batch);
    },
  };
}

export function cpuTrainee(outline: Outline): Prepared {
  const { network, tower, run, score } = cpuTowers(outline);
  const { parameters } = network;
  drawWeights({ vectors: tower.tables.map(({ value }) => value), parameters, seed: deriveSeed(outline.seed, 0) });
  return {
    trainee: {
      parameters,
      tables: tower.tables,
      batchesPerEpoch: outline.histories.batchesPerEpoch,
      step(at) {
        outline.begin(at);
        return run();
      },
      evaluate: score,
    },
    parameters,
    all: (into) => tower.all(into),
  };
}
