import { drawWeights } from '../../neural/draw-weights.ts';
import { addDropped, DropoutMasks, type Flow, linear, Network, type Parameter, relu } from '../../neural/network.ts';
import type { RowTable } from '../../neural/row-table.ts';
import { inWorkspace, type Workspace } from '../../neural/workspace.ts';
import type { ItemAttributes } from '../algorithm.ts';
import type { CandidateLists } from './candidate-lists.ts';
import { ItemInputs, type ItemSource, roundUp } from './item-inputs.ts';
import { pairFeatures, pairWidth } from './pair-features.ts';
import { pairFacts } from './find-candidates.ts';

export type RankerShape = { dimensions: number /** At least one, multiples of 8. */; hidden: readonly [number, ...number[]] };

type Options = {
  itemCount: number;
  queryWidth: number;
  attributes: ItemAttributes;
  source: ItemSource;
  shape: RankerShape;
  dropout: number;
  /** Lists, and candidates of them all, that a batch can hold. */
  mostLists: number;
  mostPairs: number;
  /** Of scores, and of queries' numbers. */
  spread: number;
  queryScale: number;
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
 * The ranker: He, Liao, Zhang, Nie, Hu, Chua, "Neural collaborative filtering" (2017, section 3.3), a multilayer perceptron over the concatenated vectors of a
 * user and an item, here with what else is known of both. Its first layer is a sum of three, of the user, of the item, and of the two together, since
 * a matrix times what is concatenated is the sum of its parts: each user and each item of a batch is multiplied once, however many pairs it is in, and a trained
 * ranker keeps of an item no more than its part of the sum.
 */
export class RankerNetwork {
  readonly parameters: readonly Parameter[];
  readonly tables: readonly RowTable[];
  readonly items: ItemInputs;
  /** [pairs, outWidth] of the batch at hand */
  readonly out: Flow;
  readonly masks: DropoutMasks;
  readonly #options: Options;
  readonly #networks: { users: Network; items: Network; pairs: Network };
  readonly #inputs: { users: Flow; items: Flow; pairs: Flow };
  readonly #itemAt: Int32Array;
  readonly #placeOfItem: Int32Array;
  /** [pairs] rows of the parts that a pair is the sum of */
  readonly #userRows: Int32Array;
  readonly #itemRows: Int32Array;
  #itemCount = 0;

  constructor(options: Options) {
    const { itemCount, mostPairs, seed } = options;
    this.#options = options;
    this.#userRows = new Int32Array(mostPairs);
    this.#itemRows = new Int32Array(mostPairs);
    this.#itemAt = new Int32Array(Math.min(itemCount, mostPairs));
    this.#placeOfItem = new Int32Array(itemCount).fill(-1);
    this.masks = new DropoutMasks(options.dropout);
    const built = inWorkspace((workspace) => this.#build(workspace));
    this.#networks = built.networks;
    this.#inputs = built.inputs;
    this.items = built.items;
    this.out = built.out;
    this.tables = built.items.tables;
    this.parameters = [built.networks.items, built.networks.users, built.networks.pairs].flatMap(({ parameters }) => parameters);
    drawWeights({ vectors: [], parameters: this.parameters, seed });
    // It begins with nothing to say, and so as the first stage.
    for (const { name, value } of this.parameters) if (name === 'out.weight') value.fill(0);
  }

  #build(workspace: Workspace) {
    const { itemCount, queryWidth, source, attributes, shape, mostLists, mostPairs } = this.#options;
    const [first, ...rest] = shape.hidden;
    const mostItems = Math.min(itemCount, mostPairs);
    const items = new ItemInputs({ workspace, itemCount, vectorWidth: source.width, attributes, dimensions: shape.dimensions, mostItems });
    const networks = {
      users: new Network({ workspace, mostRows: mostLists }),
      items: new Network({ workspace, mostRows: mostItems }),
      pairs: new Network({ workspace, mostRows: mostPairs }),
    };
    const inputs = { users: networks.users.flow(roundUp(queryWidth)), items: networks.items.flow(items.width), pairs: networks.pairs.flow(pairWidth) };
    const parts = {
      user: linear(networks.users, { from: inputs.users, width: first, name: 'user' }),
      item: linear(networks.items, { from: inputs.items, width: first, name: 'item' }),
      pair: linear(networks.pairs, { from: inputs.pairs, width: first, name: 'pair' }),
    };
    let stream = relu(networks.pairs, this.#sumOf(networks.pairs, parts));
    stream = addDropped(networks.pairs, { branch: stream, masks: this.masks });
    for (const [layer, width] of rest.entries()) stream = relu(networks.pairs, linear(networks.pairs, { from: stream, width, name: `layer ${layer}` }));
    return { networks, inputs, items, out: linear(networks.pairs, { from: stream, width: outWidth, name: 'out' }) };
  }

  #sumOf(network: Network, { user, item, pair }: { user: Flow; item: Flow; pair: Flow }): Flow {
    const { width } = pair;
    const into = network.flow(width);
    const [userRows, itemRows] = [this.#userRows, this.#itemRows];
    network.add({
      forward() {
        for (let row = 0, cell = 0; row < network.rows; row += 1) {
          const [u, i] = [(userRows[row] as number) * width, (itemRows[row] as number) * width];
          for (let f = 0; f < width; f += 1, cell += 1)
            into.value[cell] = (pair.value[cell] as number) + (user.value[u + f] as number) + (item.value[i + f] as number);
        }
      },
      backward() {
        for (let row = 0, cell = 0; row < network.rows; row += 1) {
          const [u, i] = [(userRows[row] as number) * width, (itemRows[row] as number) * width];
          for (let f = 0; f < width; f += 1, cell += 1) {
            const grad = into.grad[cell] as number;
            pair.grad[cell] = (pair.grad[cell] as number) + grad;
            user.grad[u + f] = (user.grad[u + f] as number) + grad;
            item.grad[i + f] = (item.grad[i + f] as number) + grad;
          }
        }
      },
    });
    return into;
  }

  /** What it says of each pair of a batch, in the first column of `out`. */
  forward(lists: CandidateLists, batch: PairBatch, { training }: { training: boolean }): void {
    const { source, spread, queryScale } = this.#options;
    const { users, items, pairs } = this.#inputs;
    for (let place = 0; place < this.#itemCount; place += 1) this.#placeOfItem[this.#itemAt[place] as number] = -1;
    this.#itemCount = 0;
    for (let row = 0; row < batch.lists; row += 1) {
      const list = batch.of[row] as number;
      for (let f = 0; f < lists.queryWidth; f += 1) users.value[row * users.width + f] = (lists.queries[list * lists.queryWidth + f] as number) / queryScale;
      const top = lists.scores[list * lists.most] as number;
      for (let pair = batch.starts[row] as number; pair < (batch.starts[row + 1] as number); pair += 1) {
        const place = batch.places[pair] as number;
        const score = lists.scores[place] as number;
        pairFeatures({ score, top, spread, facts: lists.facts, factsAt: place * pairFacts }, pairs.value, pair * pairWidth);
        this.#userRows[pair] = row;
        this.#itemRows[pair] = this.#rowOfItem(lists.items[place] as number);
      }
    }
    for (let place = 0; place < this.#itemCount; place += 1) this.items.read(this.#itemAt[place] as number, source, items.value, place * items.width);
    const networks = this.#networks;
    networks.items.forward({ rows: this.#itemCount, training });
    networks.users.forward({ rows: batch.lists, training });
    networks.pairs.forward({ rows: batch.starts[batch.lists] as number, training });
  }

  /** From the gradients of `out` to those of the parameters and tables. */
  backward(): void {
    const { items } = this.#inputs;
    this.#networks.pairs.backward();
    this.#networks.users.backward();
    this.#networks.items.backward();
    for (let place = 0; place < this.#itemCount; place += 1) this.items.learn(this.#itemAt[place] as number, items.grad, place * items.width);
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
