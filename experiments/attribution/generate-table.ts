import { createRandom, type Random } from '../../models/random.ts';
import type { ChangeTable, Dimension } from './leaves.ts';

/** Attributes of one cause, by dimension. */
export type Where = Record<string, string | null>;

export type TableSettings = {
  seed: number;
  /** How many values each dimension has. */
  values: readonly number[];
  /** Share of all combinations that are in the table. */
  filled: number;
  /** Share of its leaves where nothing is and nothing is expected. */
  empty: number;
  causes: number;
  /** Fewest and most of a cause. */
  attributes: readonly [low: number, high: number];
  /** Have all causes the same dimensions and the same severity? Else each its own. */
  alike: boolean;
  /** Smallest and largest share of a cause's figures that is lost, or gained. */
  severity: readonly [low: number, high: number];
  /** Of how much a leaf of a cause is off, around its cause's: standard deviation. */
  unevenness: number;
  /** Standard deviation of the forecast's error, as a share of the leaf. */
  noise: number;
  kind: 'sum' | 'ratio';
  /** Do all causes lower the figures? Else each has its own direction. */
  oneDirection: boolean;
};

export type DrawnTable = { table: ChangeTable; truth: Where[] };

/**
 * A table whose causes are known, made as the published benchmarks are (Li et al. 2019, section V; Kalander 2022, section 4): heavy-tailed leaves, many of
 * them empty, a forecast with an error in proportion, and causes whose leaves are all off by one ratio, more or less. No cause lies within another, and each
 * has leaves that are not empty and that no other cause has.
 */
export function drawTable(settings: TableSettings): DrawnTable {
  const random = createRandom(settings.seed);
  const dimensions = drawLeaves(settings, random);
  const count = dimensions[0]?.codes.length ?? 0;
  const size = Float64Array.from({ length: count }, () => (random.float() < settings.empty ? 0 : Math.exp(3 + 1.5 * normal(random))));
  const causes = drawCauses({ settings, dimensions, size, random });
  const factor = factors({ settings, causes, dimensions, random });
  // The forecast is off, or what was is: one sign must not be likelier.
  const noisy = (value: number): [number, number] => {
    const off = Math.max(0, value * (1 + settings.noise * normal(random)));
    return random.float() < 0.5 ? [value, off] : [off, value];
  };
  const [actual, predicted] = [new Float64Array(count), new Float64Array(count)];
  for (const [leaf, value] of size.entries()) [actual[leaf], predicted[leaf]] = noisy(value);
  const truth = causes.map(({ attributes }) => Object.fromEntries(attributes.map(([at, code]) => [nameOf(at), `${nameOf(at)}${code}`])));
  if (settings.kind === 'sum') {
    for (let leaf = 0; leaf < count; leaf += 1) actual[leaf] = (actual[leaf] as number) * (factor[leaf] as number);
    return { table: { dimensions, measure: { kind: 'sum', actual, predicted } }, truth };
  }
  // A rate of a fifth or so; causes lower the rate and leave the volume alone.
  const rate = Float64Array.from({ length: count }, () => 0.1 + 0.2 * random.float());
  const noisyRates = Array.from(rate, (own) => noisy(own));
  const actualNumerator = actual.map((volume, leaf) => volume * (noisyRates[leaf]?.[0] as number) * (factor[leaf] as number));
  const predictedNumerator = predicted.map((volume, leaf) => volume * (noisyRates[leaf]?.[1] as number));
  return {
    table: { dimensions, measure: { kind: 'ratio', actualNumerator, actualDenominator: actual, predictedNumerator, predictedDenominator: predicted } },
    truth,
  };
}

const nameOf = (dimension: number): string => String.fromCharCode(97 + dimension);

function drawLeaves({ values, filled }: TableSettings, random: Random): Dimension[] {
  const all = values.reduce((product, one) => product * one, 1);
  const kept: number[] = [];
  for (let at = 0; at < all; at += 1) if (random.float() < filled) kept.push(at);
  let below = 1;
  return values.map((many, dimension) => {
    const step = below;
    below *= many;
    const name = nameOf(dimension);
    return { name, values: Array.from({ length: many }, (_, code) => `${name}${code}`), codes: Int32Array.from(kept, (at) => Math.floor(at / step) % many) };
  });
}

type Drawn = { attributes: [dimension: number, code: number][]; severity: number };
type Drawing = { settings: TableSettings; dimensions: readonly Dimension[]; size: Float64Array; random: Random };

function drawCauses({ settings, dimensions, size, random }: Drawing): Drawn[] {
  const { causes, attributes, severity, oneDirection, alike } = settings;
  const drawn: Drawn[] = [];
  for (let tries = 0; drawn.length < causes; tries += 1) {
    if (tries > 10_000) throw new RangeError('drawTable: there is no room for so many causes');
    const [first] = drawn;
    const many = attributes[0] + random.below(attributes[1] - attributes[0] + 1);
    const chosen =
      alike && first !== undefined
        ? first.attributes.map(([at]) => at)
        : shuffled(dimensions.length, random)
            .slice(0, many)
            .sort((a, b) => a - b);
    const leaf = random.below(size.length);
    if (size[leaf] === 0) continue;
    const candidate = chosen.map((at): [number, number] => [at, (dimensions[at] as Dimension).codes[leaf] as number]);
    const lies = (inner: Drawn['attributes'], outer: Drawn['attributes']) =>
      outer.every(([at, code]) => inner.some(([own, other]) => own === at && other === code));
    if (drawn.some((one) => lies(one.attributes, candidate) || lies(candidate, one.attributes))) continue;
    const share = severity[0] + (severity[1] - severity[0]) * random.float();
    const own = oneDirection || random.float() < 0.5 ? -share : share;
    drawn.push({ attributes: candidate, severity: alike ? (first?.severity ?? own) : own });
  }
  return drawn;
}

function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, at) => at);
  for (let at = count - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    [order[at], order[other]] = [order[other] as number, order[at] as number];
  }
  return order;
}

/** What each leaf's figure becomes a multiple of: where causes meet, of all of them. */
function factors({ settings, causes, dimensions, random }: Omit<Drawing, 'size'> & { causes: readonly Drawn[] }): Float64Array {
  return Float64Array.from({ length: dimensions[0]?.codes.length ?? 0 }, (_, leaf) => {
    const own = causes.filter(({ attributes }) => attributes.every(([at, code]) => (dimensions[at] as Dimension).codes[leaf] === code));
    return own.reduce((product, { severity }) => product * Math.max(0, 1 + severity + settings.unevenness * normal(random)), 1);
  });
}

/** Box and Muller. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());
}
