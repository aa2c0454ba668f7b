import { graphSize } from '../../graph/graph-files.ts';
import { z } from 'zod';
import { deriveSeed } from '../../neural/derive-seed.ts';
import { checkItemVectorsFit } from '../../neural/item-vectors-limit.ts';
import type { Algorithm, Interactions, Model } from '../algorithm.ts';
import { runFingerprint } from '../checkpoint.ts';
import { namesOf, toldAttributes } from '../two-tower/told-attributes.ts';
import { CandidateFinder } from './find-candidates.ts';
import { firstStage, trainFirstStage } from './first-stages.ts';
import { foldRanker } from './fold-ranker.ts';
import { agreement, firstOrders, meanGain, ndcgByUser } from './held-out.ts';
import { itemFacts } from './item-facts.ts';
import { roundUp } from './item-inputs.ts';
import { ncfModel } from './ncf-model.ts';
import { Phases } from './phases.ts';
import { rankerData } from './ranker-data.ts';
import { splitBehind } from './split-behind.ts';
import { type RankerData, type RankerSettings, type TrainedRanker, trainRanker } from './train-ranker.ts';

const hiddenLayers = z.array(z.number().int().min(8).max(1024)).min(1).max(4);
const ownDimensions = z.number().int().min(8).max(128);

const ncfParams = z.strictObject({
  /** Whose best items are ranked, with its parameters. */
  first: firstStage,
  /** How many are ranked. */
  candidates: z.number().int().min(1).max(2000).default(200),
  /** Of all entries, about so many lie behind the point in time up to which the first stage is trained, for the ranker to learn from. */
  behindShare: z.number().gt(0).max(0.5).default(0.15),
  /** Length of an item's own vector, and of one of what the catalog says; rounded up to a multiple of 8. */
  dimensions: ownDimensions.default(16),
  /** Widths of the hidden layers; rounded up likewise. */
  hidden: hiddenLayers.default([64, 32]),
  /** Share of the cells that a step leaves out. In 256ths. */
  dropout: z.number().min(0).max(0.9).default(0.2),
  /** How often a step leaves out an item's own vector, and so knows it by what it shares with others. */
  idDropout: z.number().min(0).max(0.9).default(0.5),
  learningRate: z.number().positive().max(1e6).default(1e-3),
  /** Lists a step; fewer in small data. */
  batchLists: z.number().int().min(8).max(4096).default(32),
  /** Candidates of a list that a step looks at. */
  listed: z.number().int().min(8).max(2000).default(64),
  /** Lists to learn from, at most; each is held in memory. */
  lists: z.number().int().min(8).max(1_000_000).default(10_000),
  epochs: z.number().int().min(1).max(1000).default(20),
  /** Training stops after so many looks at what is held out without a better one. */
  patience: z.number().int().min(1).max(1000).default(3),
  /** Of the users with something behind, whose lists are held out of training and say when to stop. */
  heldOutShare: z.number().min(0).max(0.5).default(0.15),
  /** Present: a smaller ranker is taught by that, and takes its place. */
  distil: z
    .strictObject({
      hidden: hiddenLayers.default([16]),
      dimensions: ownDimensions.default(8),
      /** By which odds are flattened, so that more than the best shows. */
      temperature: z.number().min(1).max(100).default(2),
      /** How much the teacher's word counts beside what came next, where that is known. */
      share: z.number().min(0).max(1).default(0.7),
    })
    .optional(),
});
export type NcfParams = z.output<typeof ncfParams>;

/** Of the whole time, about. */
const shares = { 'first stage on what came before': 2, candidates: 1, ranker: 5, 'smaller ranker': 5, 'first stage': 2 } as const;

/**
 * A second stage, which puts the best items of a first one in order (ranker-network.ts), by what the first stage cannot know: what the catalog says, how new
 * and how popular of late an item is, and what it has in common with the latest of the history.
 *
 * What a first stage has seen it ranks too well. So it is trained up to a point in time; the ranker learns from what came behind that, against the candidates
 * of then; and then the first stage is trained once more on everything. Two trainings end in two bases of the same space: so the ranker reads products of the
 * first stage's vectors, which mean the same in both, and no vector (docs/decisions/0007).
 *
 * Where nothing came behind, or the ranker orders what was held out no better than the first stage does, that stands alone.
 */
export const ncf: Algorithm<NcfParams> = {
  name: 'ncf',
  retrieval: 'product',
  attributes: 'read',
  params: ncfParams,
  async train({ interactions, params, seed, attributes: given }, hooks = {}) {
    const { itemCount } = interactions;
    const attributes = toldAttributes(given, new Uint8Array(itemCount).fill(1));
    const fingerprint = runFingerprint({ algorithm: 'ncf', params: { ...params, attributes: namesOf(attributes) }, seed, interactions });
    const phases = new Phases({ shares, fingerprint, hooks });
    const trainFirst = (name: string, of: Interactions): Promise<Model> =>
      phases.run(name, (inner) => trainFirstStage({ first: params.first, interactions: of, seed, attributes: given }, inner));
    const finderOf = (first: Model): CandidateFinder => new CandidateFinder({ first, itemCount, candidates: params.candidates });

    const split = splitBehind(interactions, params.behindShare);
    if (split === undefined) return trainFirst('first stage', interactions);
    const early = finderOf(await trainFirst('first stage on what came before', split.before));
    checkItemVectorsFit({ itemCount, width: early.products.width + shapeOf(params).hidden[0] });
    const data = await rankerData({
      ...{ interactions, split, attributes, seed, finder: early, heldOutShare: params.heldOutShare },
      ...{ mostLists: params.lists, mostUnanswered: params.distil === undefined ? 0 : params.lists },
      inPieces: (count, work) => phases.prepare('candidates', count, work),
    });
    const { ranker, teacher } = await trainRankers({ data, params, fingerprint, seed, phases });
    const last = finderOf(await trainFirst('first stage', interactions));
    if (ranker === undefined) return last.first;

    const facts = itemFacts(interactions);
    const modelOf = async ({ network }: TrainedRanker) => {
      const folded = await foldRanker({ network, facts, spread: data.spread });
      return { model: ncfModel({ finder: last, ranker: folded }), parameters: folded.parameters };
    };
    const own = await modelOf(ranker);
    if (teacher === undefined) return own.model;
    const taught = await modelOf(teacher);
    const orders = { teacher: teacher.orders(), student: ranker.orders() };
    const sizeOf = ({ model, parameters }: typeof own) => ({ parameters, bytes: graphSize(model.exportGraph()) });
    return {
      ...own.model,
      distillation: () => ({
        ...{ teacher: sizeOf(taught), student: sizeOf(own), agreementAt20: agreement(orders.teacher, orders.student) },
        heldOut: { teacher: ndcgByUser(data, orders.teacher), student: ndcgByUser(data, orders.student) },
      }),
    };
  },
};

const shapeOf = ({ hidden, dimensions }: Pick<NcfParams, 'hidden' | 'dimensions'>): RankerSettings['shape'] => {
  const [first, ...rest] = hidden.map(roundUp) as [number, ...number[]];
  return { hidden: [first, ...rest], dimensions: roundUp(dimensions) };
};

type Training = { data: RankerData; params: NcfParams; fingerprint: string; seed: number; phases: Phases };

/** @returns the ranker that serves, undefined where it is none to serve; and the one that taught it, where one did */
async function trainRankers({ data, params, fingerprint, seed, phases }: Training): Promise<{ ranker?: TrainedRanker; teacher?: TrainedRanker }> {
  if (data.trained.length === 0) return {};
  const { learningRate, epochs, patience, dropout, idDropout, batchLists: perBatch, listed, distil } = params;
  const settings = { dropout, idDropout, perBatch, listed, schedule: { learningRate, epochs, patience } };
  const helps = (ranker: TrainedRanker): boolean => data.heldOut.length === 0 || meanGain(data, ranker.orders()) > meanGain(data, firstOrders(data));
  const only = await phases.run('ranker', (hooks) =>
    trainRanker({ data, settings: { ...settings, shape: shapeOf(params), seed: deriveSeed(seed, 20) }, fingerprint: `${fingerprint} ranker`, hooks }),
  );
  if (!helps(only)) return {};
  if (distil === undefined) return { ranker: only };
  const { temperature, share } = distil;
  const small = await phases.run('smaller ranker', (hooks) =>
    trainRanker({
      ...{ data, fingerprint: `${fingerprint} smaller ranker`, hooks, teacher: { ranker: only, temperature, share } },
      settings: { ...settings, shape: shapeOf(distil), seed: deriveSeed(seed, 21) },
    }),
  );
  return helps(small) ? { ranker: small, teacher: only } : {};
}
