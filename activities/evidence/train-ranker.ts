import { giveWay } from '../../models/algorithms/checkpoint.ts';
import { algorithmNamed, parseParams } from '../../models/algorithms/registry.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import type { TrainData } from '../windows/read-window.ts';
import { type Ranker, rankerOf } from './ranker.ts';

type Input = {
  recipe: Pick<Recipe, 'algorithm' | 'params' | 'seed'>;
  train: Pick<TrainData, 'interactions' | 'vocabulary' | 'attributes'>;
  beat: () => void;
  /** 1 where nobody says: beside what others compute. */
  threads?: number;
  allowed: (itemId: string) => boolean;
};

/** Trains as a run does, and answers through the exported graph; nothing of it is kept. */
export async function trainRanker({ recipe, train: { interactions, vocabulary, attributes }, beat, threads, allowed }: Input): Promise<Ranker> {
  const algorithm = algorithmNamed(recipe.algorithm);
  const onStep = async () => {
    await giveWay();
    beat();
  };
  const model = await algorithm.train({ interactions, params: parseParams(algorithm, recipe.params), seed: recipe.seed, attributes }, { onStep, threads });
  const graph = await openRecommendGraph({ ...model.exportGraph(), itemCount: vocabulary.length, maxHistory: model.maxHistory });
  return rankerOf({ graph, vocabulary, allowed });
}
