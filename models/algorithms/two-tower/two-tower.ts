import { checkItemVectorsFit } from '../../neural/item-vectors-limit.ts';
import { trainNetwork } from '../../neural/train-network.ts';
import { TrainedLayers } from '../../neural/trained-layers.ts';
import type { Algorithm } from '../algorithm.ts';
import { runFingerprint } from '../checkpoint.ts';
import { popularityPrior } from '../prior.ts';
import { cpuTrainee } from './cpu-trainee.ts';
import { gpuTrainee } from './gpu-trainee.ts';
import { outline, roundUp } from './outline.ts';
import { type TwoTowerParams, twoTowerParams } from './params.ts';
import { namesOf, toldAttributes } from './told-attributes.ts';
import { twoTowerModel } from './two-tower-model.ts';

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
  gpu: 'can',
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
    const outlined = outline({ interactions, counts, hasEvents, attributes: told, width, params, seed });
    const { trainee, parameters, all } = hooks.gpu === undefined ? cpuTrainee(outlined) : gpuTrainee(hooks.gpu, outlined);
    const { learningRate, epochs, patience } = params;
    await trainNetwork({ trainee, schedule: { learningRate, epochs, patience }, fingerprint, hooks });
    const layers = new TrainedLayers(parameters);
    const vectors = new Float32Array((itemCount + 1) * width);
    all(vectors);
    vectors.set(layers.valueOf('start'), itemCount * width);
    const { maxHistory, decays } = params;
    const { known } = outlined.step;
    return twoTowerModel({ width, itemCount, maxHistory, decays, vectors, known, layers, prior: popularityPrior(interactions) });
  },
};
