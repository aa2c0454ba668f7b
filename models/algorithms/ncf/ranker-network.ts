import { drawWeights } from '../../neural/draw-weights.ts';
import { addDropped, DropoutMasks, type Flow, linear, Network, type Parameter, relu } from '../../neural/network.ts';
import type { RowTable } from '../../neural/row-table.ts';
import { inWorkspace, type Workspace } from '../../neural/workspace.ts';
import type { ItemAttributes } from '../algorithm.ts';
import type { CandidateLists } from './candidate-lists.ts';
import { ItemInputs } from './item-inputs.ts';
import type { Random } from '../../random.ts';
import { pairFeatures, pairWidth } from './pair-features.ts';
import { pairFacts } from './find-candidates.ts';

export type RankerShape = { dimensions: number /** At least one, multiples of 8. */; hidden: readonly [number, ...number[]] };

type Options = {
  itemCount: number;
  attributes: ItemAttributes;
  /** [itemCount, factsPerItem] */
  facts: Float32Array;
  shape: RankerShape;
  dropout: number;
  /** How often a step leaves out an item's own vector, so that what items share carries what it can. */
  idDropout: number;
  /** Candidates of all lists of a batch, at most. */
  mostPairs: number;
  /** The unit of scores. */
  spread: number;
  seed: number;
};

/** A batch of lists: the places of their candidates, list after list. */
export type PairBatch = {
  lists: number;
  /** [lists] which of them */
  of: Uint32Array;
  /** [lists + 1] */
  starts: Uint32Array;
  /** [pairs] places in the lists */
  places: Uint32Array;
};

export const emptyPairBatch = (mostLists: number, mostPairs: number): PairBatch => ({
  ...{ lists: 0, of: new Uint32Array(mostLists), starts: new Uint32Array(mostLists + 1), places: new Uint32Array(mostPairs) },
});

/** The last layer's width: its first column is the ranker's word, the others are there for the kernels. */
const outWidth = 8;

/**
 * The ranker: a multilayer perceptron over what is known of a pair, with the vectors of the item concatenated (He, Liao, Zhang, Nie, Hu, Chua, "Neural collaborative
 * filtering", 2017, section 3.3). Of the user it reads what the first stage makes of the history, as products with the candidate: its score, and how like the
 * means of the history it is. Its first layer is a sum of two, of the item and of the pair, since a matrix times what is concatenated is the sum of its
 * parts: each item of a batch is multiplied once, however many pairs it is in, and a trained ranker keeps of an item no more than its part of the sum.
 */
export class RankerNetwork {
  readonly parameters: readonly Parameter[];
  readonly tables: readonly RowTable[];
  readonly items: ItemInputs;
  /** [pairs, outWidth] of the batch at hand */
  readonly out: Flow;
  readonly masks: DropoutMasks;
  readonly #options: Options;
  readonly #networks: { items: Network; pairs: Network };
  readonly #inputs: { items: Flow; pairs: Flow };
  readonly #itemAt: Int32Array;
  readonly #withOwn: Uint8Array;
  readonly #placeOfItem: Int32Array;
  /** [pairs] the item's row */
  readonly #itemRows: Int32Array;
  #itemCount = 0;

  constructor(options: Options) {
    const { itemCount, mostPairs, seed } = options;
    this.#options = options;
    this.#itemRows = new Int32Array(mostPairs);
    this.#itemAt = new Int32Array(Math.min(itemCount, mostPairs));
    this.#withOwn = new Uint8Array(this.#itemAt.length);
    this.#placeOfItem = new Int32Array(itemCount).fill(-1);
    this.masks = new DropoutMasks(options.dropout);
    const built = inWorkspace((workspace) => this.#build(workspace));
    this.#networks = built.networks;
    this.#inputs = built.inputs;
    this.items = built.items;
    this.out = built.out;
    this.tables = built.items.tables;
    this.parameters = [built.networks.items, built.networks.pairs].flatMap(({ parameters }) => parameters);
    drawWeights({ vectors: [], parameters: this.parameters, seed });
    // It begins with nothing to say, and so as the first stage.
    for (const { name, value } of this.parameters) if (name === 'out.weight') value.fill(0);
  }

  #build(workspace: Workspace) {
    const { itemCount, facts, attributes, shape, mostPairs } = this.#options;
    const [first, ...rest] = shape.hidden;
    const mostItems = Math.min(itemCount, mostPairs);
    const items = new ItemInputs({ workspace, facts, attributes, dimensions: shape.dimensions, mostItems });
    const networks = {
      items: new Network({ workspace, mostRows: mostItems }),
      pairs: new Network({ workspace, mostRows: mostPairs }),
    };
    const inputs = { items: networks.items.flow(items.width), pairs: networks.pairs.flow(pairWidth) };
    const parts = {
      item: linear(networks.items, { from: inputs.items, width: first, name: 'item' }),
      pair: linear(networks.pairs, { from: inputs.pairs, width: first, name: 'pair' }),
    };
    let stream = relu(networks.pairs, this.#sumOf(networks.pairs, parts));
    stream = addDropped(networks.pairs, { branch: stream, masks: this.masks });
    for (const [layer, width] of rest.entries()) stream = relu(networks.pairs, linear(networks.pairs, { from: stream, width, name: `layer ${layer}` }));
    return { networks, inputs, items, out: linear(networks.pairs, { from: stream, width: outWidth, name: 'out' }) };
  }

  #sumOf(network: Network, { item, pair }: { item: Flow; pair: Flow }): Flow {
    const { width } = pair;
    const into = network.flow(width);
    const itemRows = this.#itemRows;
    network.add({
      forward() {
        for (let row = 0, cell = 0; row < network.rows; row += 1) {
          const i = (itemRows[row] as number) * width;
          for (let f = 0; f < width; f += 1, cell += 1) into.value[cell] = (pair.value[cell] as number) + (item.value[i + f] as number);
        }
      },
      backward() {
        for (let row = 0, cell = 0; row < network.rows; row += 1) {
          const i = (itemRows[row] as number) * width;
          for (let f = 0; f < width; f += 1, cell += 1) {
            const grad = into.grad[cell] as number;
            pair.grad[cell] = (pair.grad[cell] as number) + grad;
            item.grad[i + f] = (item.grad[i + f] as number) + grad;
          }
        }
      },
    });
    return into;
  }

  /** What it says of each pair of a batch, in the first column of `out`. @param random of a step that trains: draws what is left out */
  forward(lists: CandidateLists, batch: PairBatch, random?: Random): void {
    const { facts, spread, idDropout } = this.#options;
    const { items, pairs } = this.#inputs;
    for (let place = 0; place < this.#itemCount; place += 1) this.#placeOfItem[this.#itemAt[place] as number] = -1;
    this.#itemCount = 0;
    for (let row = 0; row < batch.lists; row += 1) {
      const top = lists.scores[(batch.of[row] as number) * lists.most] as number;
      for (let pair = batch.starts[row] as number; pair < (batch.starts[row + 1] as number); pair += 1) {
        const place = batch.places[pair] as number;
        const score = lists.scores[place] as number;
        pairFeatures({ score, top, spread, facts: lists.facts, factsAt: place * pairFacts }, pairs.value, pair * pairWidth);
        this.#itemRows[pair] = this.#rowOfItem(lists.items[place] as number);
      }
    }
    for (let place = 0; place < this.#itemCount; place += 1) {
      this.#withOwn[place] = random !== undefined && random.float() < idDropout ? 0 : 1;
      this.items.read({ item: this.#itemAt[place] as number, facts, withOwn: this.#withOwn[place] === 1 }, items.value, place * items.width);
    }
    const training = random !== undefined;
    const networks = this.#networks;
    networks.items.forward({ rows: this.#itemCount, training });
    networks.pairs.forward({ rows: batch.starts[batch.lists] as number, training });
  }

  /** From the gradients of `out` to those of the parameters and tables. */
  backward(): void {
    const { items } = this.#inputs;
    this.#networks.pairs.backward();
    this.#networks.items.backward();
    for (let place = 0; place < this.#itemCount; place += 1)
      this.items.learn({ item: this.#itemAt[place] as number, withOwn: this.#withOwn[place] === 1 }, items.grad, place * items.width);
  }

  #rowOfItem(item: number): number {
    const known = this.#placeOfItem[item] as number;
    if (known >= 0) return known;
    const place = this.#itemCount;
    this.#itemCount += 1;
    this.#itemAt[place] = item;
    this.#placeOfItem[item] = place;
    return place;
  }
}
