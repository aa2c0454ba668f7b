import { z } from 'zod';
import { deriveSeed } from '../../neural/derive-seed.ts';
import { createRandom } from '../../random.ts';
import type { Algorithm, Interactions, ItemAttributes, Model, TrainHooks } from '../algorithm.ts';
import { runFingerprint } from '../checkpoint.ts';
import { ials } from '../ials/ials.ts';
import { sasrec } from '../sasrec/sasrec.ts';
import { namesOf, toldAttributes } from '../two-tower/told-attributes.ts';
import { twoTower } from '../two-tower/two-tower.ts';
import { alignVectors } from './align-vectors.ts';
import { type Ask, asksBehind, asksWithoutAnswer, CandidateLists } from './candidate-lists.ts';
import { CandidateFinder } from './find-candidates.ts';
import { foldRanker } from './fold-ranker.ts';
import { itemFacts } from './item-facts.ts';
import { type ItemSource, roundUp } from './item-inputs.ts';
import { ncfModel } from './ncf-model.ts';
import { Phases } from './phases.ts';
import { splitBehind } from './split-behind.ts';
import { firstOrders, meanGain, type RankerData, trainRanker } from './train-ranker.ts';

const hiddenLayers = z.array(z.number().int().min(8).max(1024)).min(1).max(4);
const ownDimensions = z.number().int().min(8).max(128);

const ncfParams = z.strictObject({
  /** Whose best items are ranked: an algorithm that scores by products of vectors, with its parameters. */
  first: z
    .discriminatedUnion('algorithm', [
      z.strictObject({ algorithm: z.literal('ials'), params: ials.params.prefault({}) }),
      z.strictObject({ algorithm: z.literal('two-tower'), params: twoTower.params.prefault({}) }),
      z.strictObject({ algorithm: z.literal('sasrec'), params: sasrec.params.prefault({}) }),
    ])
    .prefault({ algorithm: 'ials' }),
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
});
export type NcfParams = z.output<typeof ncfParams>;

/** Fewer users say too little to stop by. */
const leastHeldOut = 20;
const mostHeldOut = 1000;

export const ncf: Algorithm<NcfParams> = {
  name: 'ncf',
  retrieval: 'product',
  params: ncfParams,
  async train({ interactions, params, seed, attributes }, hooks = {}) {
    const { itemCount } = interactions;
    const told = toldAttributes(attributes, new Uint8Array(itemCount).fill(1));
    const fingerprint = runFingerprint({ algorithm: 'ncf', params: { ...params, attributes: namesOf(told) }, seed, interactions });
    const split = splitBehind(interactions, params.behindShare);
    const phases = new Phases({
      phases: split === undefined ? [{ name: 'first stage', share: 1 }] : phasesOf(params),
      ...{ fingerprint, hooks },
    });
    const trainFirst = (of: Interactions) => phases.run((inner) => trainFirstStage({ interactions: of, params, seed, attributes, hooks: inner }));
    if (split === undefined) return trainFirst(interactions);
    const early = new CandidateFinder({ first: await trainFirst(split.before), itemCount, candidates: params.candidates });
    const data = await rankerData({ interactions, split, early, attributes: told, params, seed, phases });
    const { learningRate, epochs, patience, dropout, batchLists: perBatch, listed } = params;
    const settings = { dropout, perBatch, listed, schedule: { learningRate, epochs, patience }, seed: deriveSeed(seed, 20) };
    const ranker = await phases.run((inner) =>
      trainRanker({ data, settings: { ...settings, shape: shapeOf(params) }, fingerprint: `${fingerprint} ranker`, hooks: inner }),
    );
    const firstGain = meanGain(data, firstOrders(data));
    const gain = meanGain(data, ranker.orders());
    if (process.env.NCF_DEBUG)
      console.log({ lists: data.lists.count, trained: data.trained.length, heldOut: data.heldOut.length, firstGain, gain, spread: data.spread });
    const last = new CandidateFinder({ first: await trainFirst(interactions), itemCount, candidates: params.candidates });
    const { width, vectors } = last.products;
    const rotation = await alignVectors({ from: { vectors, width }, to: early.products, itemCount });
    const source: ItemSource = { vectors, width, vectorScale: data.source.vectorScale, facts: itemFacts(interactions) };
    const folded = await foldRanker({ network: ranker.network, source, rotation, itemCount, queryScale: data.queryScale, spread: data.spread });
    return ncfModel({ finder: last, ranker: folded });
  },
};

const phasesOf = (_params: NcfParams) => [
  { name: 'first stage on what came before', share: 2 },
  { name: 'candidates', share: 1 },
  { name: 'ranker', share: 5 },
  { name: 'first stage', share: 2 },
];

const shapeOf = ({ hidden, dimensions }: Pick<NcfParams, 'hidden' | 'dimensions'>) => ({ hidden: hidden.map(roundUp), dimensions: roundUp(dimensions) });

type First = { interactions: Interactions; params: NcfParams; seed: number; attributes: ItemAttributes | undefined; hooks: TrainHooks };

function trainFirstStage({ interactions, params: { first }, seed, attributes, hooks }: First): Promise<Model> {
  const input = { interactions, seed, attributes };
  switch (first.algorithm) {
    case 'ials':
      return ials.train({ ...input, params: first.params }, hooks);
    case 'two-tower':
      return twoTower.train({ ...input, params: first.params }, hooks);
    case 'sasrec':
      return sasrec.train({ ...input, params: first.params }, hooks);
  }
}

type Preparing = {
  interactions: Interactions;
  split: NonNullable<ReturnType<typeof splitBehind>>;
  early: CandidateFinder;
  attributes: ItemAttributes;
  params: NcfParams;
  seed: number;
  phases: Phases;
};

async function rankerData({ interactions, split, early, attributes, params, seed, phases }: Preparing): Promise<RankerData> {
  const asks = some(asksBehind({ interactions, behindFrom: split.behindFrom, seed }), params.lists, seed);
  const lists = new CandidateLists({ asks, interactions, finder: early });
  await phases.prepare(lists.count, (list) => lists.fill(list));
  const heldOut = heldOutLists(lists, params, seed);
  const isHeldOut = new Set(heldOut);
  const trained = Uint32Array.from({ length: lists.count }, (_, list) => list).filter((list) => !isHeldOut.has(list) && lists.hasAnswer(list));
  const { vectors, width } = early.products;
  const source: ItemSource = { vectors, width, vectorScale: rootMeanSquare(vectors), facts: itemFacts(split.before) };
  return { lists, trained, heldOut, itemCount: interactions.itemCount, attributes, source, spread: lists.spread(), queryScale: rootMeanSquare(lists.queries) };
}

/** Of too many, some at random, in their order. */
function some(asks: Ask[], most: number, seed: number): Ask[] {
  if (asks.length <= most) return asks;
  const random = createRandom(deriveSeed(seed, 15));
  const keys = asks.map((_, place) => ({ place, key: random.float() }));
  const kept = new Set(
    keys
      .sort((a, b) => a.key - b.key)
      .slice(0, most)
      .map(({ place }) => place),
  );
  return asks.filter((_, place) => kept.has(place));
}

/** All lists of some users; none where that would be too few. */
function heldOutLists(lists: CandidateLists, { heldOutShare }: NcfParams, seed: number): Uint32Array {
  const users = [...new Set(lists.users)];
  const count = Math.min(mostHeldOut, Math.floor(heldOutShare * users.length));
  if (count < leastHeldOut) return new Uint32Array(0);
  const random = createRandom(deriveSeed(seed, 16));
  const keyed = users.map((user) => ({ user, key: random.float() })).sort((a, b) => a.key - b.key);
  const chosen = new Set(keyed.slice(0, count).map(({ user }) => user));
  return Uint32Array.from(lists.users.keys()).filter((list) => chosen.has(lists.users[list] as number));
}

function rootMeanSquare(values: Float32Array): number {
  let squares = 0;
  let count = 0;
  for (const value of values) {
    squares += value * value;
    count += value === 0 ? 0 : 1;
  }
  return count === 0 ? 1 : Math.sqrt(squares / count);
}
void asksWithoutAnswer;
