import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { measureFeedback } from '../experiments/feedback/measure-feedback.ts';
import { type ExploreRanked, itemIdsOf, type LoopGeneration, type LoopSettings, type Retrain, simulateLoop } from '../experiments/feedback/simulate-loop.ts';
import { generationsAtLeast } from '../experiments/feedback/trend.ts';
import { percent } from '../experiments/percent.ts';
import { seriesPlot } from '../experiments/pictures/series-plot.ts';
import type { Interactions } from '../models/algorithms/algorithm.ts';
import { ials } from '../models/algorithms/ials/ials.ts';
import { parseParams } from '../models/algorithms/registry.ts';
import type { FeedbackMeasures, FeedbackVerdict } from '../models/contracts/audit-measures.ts';
import { exploreSlate } from '../models/slate/explore.ts';
import type { PageRun } from './page-run.ts';

const params = parseParams(ials, { factors: 16, sweeps: 6, foldInSteps: 4 });

/** A training as the pipeline does it, on rows of what was taken. */
export const retrainIals: Retrain = async ({ taken, itemIds, seed }) => {
  const model = await ials.train({ interactions: interactionsOf(taken, itemIds), params, seed });
  const indexOf = new Map(itemIds.map((itemId, item) => [itemId, item]));
  return (history) => {
    const known = history.map((itemId) => indexOf.get(itemId) as number);
    const { items } = model.recommend({ history: known, historyWeight: known.map(() => 1), exclude: [], count: 130 });
    return items.map((item) => itemIds[item] as string);
  };
};

function interactionsOf(taken: Parameters<Retrain>[0]['taken'], itemIds: readonly string[]): Interactions {
  const indexOf = new Map(itemIds.map((itemId, item) => [itemId, item]));
  const users = [...Map.groupBy(taken, ({ unit }) => unit).values()].map((rows) =>
    rows.map(({ itemId, weight }) => ({ item: indexOf.get(itemId) as number, weight })).sort((a, b) => a.item - b.item),
  );
  const rows = users.flat();
  const indptr = Uint32Array.from([0, ...users.map(({ length }) => length)]);
  for (let user = 0; user < users.length; user += 1) indptr[user + 1] = (indptr[user + 1] as number) + (indptr[user] as number);
  return {
    userCount: users.length,
    itemCount: itemIds.length,
    indptr,
    items: Uint32Array.from(rows, ({ item }) => item),
    weights: Float32Array.from(rows, ({ weight }) => weight),
    atMs: new Float64Array(rows.length),
  };
}

/** Three places of a slate are drawn, three in ten times from all that is in scope. */
const exploration = { slots: 3, poolDepth: 100, rankOffset: 5, challengerDepth: 0, floor: 0.3 };

export function exploreLoop(itemIds: readonly string[]): ExploreRanked {
  const known = new Set(itemIds);
  return ({ ranked, size, excluded, seed, drawId }) =>
    exploreSlate({
      baseItems: ranked.slice(0, size),
      nextItems: ranked.slice(size),
      challengerRankings: [],
      scope: { allowed: (itemId) => known.has(itemId), allowedIds: itemIds },
      excluded,
      settings: exploration,
      slateSize: size,
      seed,
      drawId,
    });
}

const world: Omit<LoopSettings, 'isMended' | 'learnsFrom' | 'seed'> = {
  items: 300,
  tastes: 6,
  customers: 3000,
  shoppers: 1000,
  generations: 20,
  slatesEach: 4,
  windowGenerations: 6,
  organicShare: 0.3,
  maxWeight: 30,
};

export type Loop = {
  generations: LoopGeneration[] /** At each generation, of those from `from` on. */;
  verdicts: (FeedbackVerdict | null)[];
  measured: FeedbackMeasures;
};
export type LoopName = 'naive' | 'mended' | 'demand';

const measure = (generations: readonly LoopGeneration[], items: number) =>
  measureFeedback({ generations: generations.map(({ log }) => log), itemIds: itemIdsOf(items), popularity: null, group: () => 'all', seed: 1 });

/**
 * Plays a loop, and looks at it after each generation as an audit would. `naive`: nobody does anything; `mended`: explored and weighted from the generation on behind the first look that says
 * `amplifying`, and looked at anew from there; `demand`: no loop at all, and looked at once it has forgotten what it began with.
 */
export async function playLoop(name: LoopName, { seed, change = {} }: { seed: number; change?: Partial<LoopSettings> }): Promise<Loop> {
  const settings = { ...world, ...change };
  const forgotten = name === 'demand' ? settings.windowGenerations : 0;
  settings.generations += forgotten;
  const generations: LoopGeneration[] = [];
  const verdicts: Loop['verdicts'] = [];
  const seenAt = () => verdicts.indexOf('amplifying') + 1;
  const isMended = () => name === 'mended' && seenAt() > 0;
  const learnsFrom = name === 'demand' ? 'demand' : 'takings';
  let played = 0;
  for await (const one of simulateLoop(
    { ...settings, isMended, learnsFrom, seed },
    { retrain: retrainIals, explore: exploreLoop(itemIdsOf(settings.items)) },
  )) {
    played += 1;
    if (played <= forgotten) continue;
    const from = isMended() ? seenAt() : 0;
    generations.push(one);
    const looked = generations.slice(from);
    verdicts.push(looked.length < generationsAtLeast ? null : measure(looked, settings.items).verdict);
  }
  return { generations, verdicts, measured: measure(generations, settings.items) };
}

/** On which nothing was tried out. */
const seeds = [7101, 7102, 7103, 7104, 7105];
const names: readonly LoopName[] = ['naive', 'mended', 'demand'];
const shownFigures = ['coverage', 'entropy', 'homogenization', 'amplification'] as const;
type Figure = (typeof shownFigures)[number];
/** `verdicts`: a letter a generation: s, a, n, or - where there is no look. Figures as value, low and high. */
export type LoopResult = { seed: number; name: LoopName; verdicts: string; value: number[]; figures: Record<Figure, [number, number, number][]> };
export type FeedbackResults = { machine: string; loops: LoopResult[] };
const docs = join(import.meta.dirname, '../docs');
const rounded = (value: number): number => Number(value.toPrecision(4));

export function resultOf(seed: number, name: LoopName, { generations, verdicts, measured }: Loop): LoopResult {
  const figuresOf = (figure: Figure) =>
    measured.generations.map(({ figures }): [number, number, number] => {
      const { value, low, high } = figures[figure] ?? { value: 0, low: 0, high: 0 };
      return [rounded(value), rounded(low), rounded(high)];
    });
  return {
    seed,
    name,
    verdicts: verdicts.map((one) => one?.[0] ?? '-').join(''),
    value: generations.map((one) => rounded(one.value)),
    figures: Object.fromEntries(shownFigures.map((figure) => [figure, figuresOf(figure)])) as LoopResult['figures'],
  };
}

/** As it is written: numbers with spaces between them, those of an interval with commas. */
type Written = { machine: string; loops: { seed: number; name: LoopName; verdicts: string; value: string; figures: Record<Figure, string> }[] };

export const writtenOf = ({ machine, loops }: FeedbackResults): string => {
  const texts = ({ figures, value, ...one }: LoopResult): Written['loops'][number] => ({
    ...one,
    value: value.join(' '),
    figures: Object.fromEntries(shownFigures.map((figure) => [figure, figures[figure].join(' ')])) as Record<Figure, string>,
  });
  return `${JSON.stringify({ machine, loops: loops.map(texts) } satisfies Written, null, 2)}\n`;
};

export function readFeedback(text: string): FeedbackResults {
  const { machine, loops } = JSON.parse(text) as Written;
  const triples = (list: string) => list.split(' ').map((one) => one.split(',').map(Number) as [number, number, number]);
  return {
    machine,
    loops: loops.map(({ figures, value, ...one }) => ({
      ...one,
      value: value.split(' ').map(Number),
      figures: Object.fromEntries(shownFigures.map((figure) => [figure, triples(figures[figure])])) as LoopResult['figures'],
    })),
  };
}

/** Plays all loops; with `check` it gives those that come out otherwise than is written, else it writes docs/feedback.md, .json and .svg. */
export async function benchFeedback({ machine, check, quick, say }: PageRun): Promise<string[]> {
  const loops: LoopResult[] = [];
  for (const seed of quick ? seeds.slice(0, 1) : seeds)
    for (const name of names) {
      const result = resultOf(seed, name, await playLoop(name, { seed }));
      loops.push(result);
      say(`${seed} ${name}: ${result.verdicts}`);
    }
  if (check) {
    const written = readFeedback(readFileSync(join(docs, 'feedback.json'), 'utf8')).loops;
    const isSame = (one: LoopResult) => written.some((other) => isDeepStrictEqual(other, one));
    return loops.flatMap((one) => (isSame(one) ? [] : [`${one.seed} ${one.name}`]));
  }
  if (quick) return [];
  const results: FeedbackResults = { machine, loops };
  writeFileSync(join(docs, 'feedback.json'), writtenOf(results));
  writeFileSync(join(docs, 'feedback.md'), renderFeedback(results));
  writeFileSync(join(docs, 'feedback.svg'), `${drawFeedback(results)}\n`);
  return [];
}

const titles: Record<LoopName, string> = { naive: 'naive', mended: 'mended once it is seen', demand: 'no loop' };
const colours: Record<LoopName, string> = { naive: '#c62828', mended: '#1a7f37', demand: '#6b7280' };
const figureTitles: Record<Figure, string> = {
  coverage: 'coverage',
  entropy: 'entropy, bits',
  homogenization: 'homogenization',
  amplification: 'amplification',
};

/** `docs/feedback.svg`: the loops of the first seed. */
export function drawFeedback({ loops }: FeedbackResults): string {
  const first = loops.filter(({ seed }) => seed === loops[0]?.seed);
  const panels = shownFigures.map((figure) => ({
    title: figureTitles[figure],
    series: first.map(({ name, figures }) => ({
      label: titles[name],
      colour: colours[name],
      values: figures[figure].map(([value, low, high]) => ({ value, low, high })),
    })),
  }));
  const value = {
    title: 'purchases a slate, by the truth',
    series: first.map((one) => ({ label: titles[one.name], colour: colours[one.name], values: one.value.map((v) => ({ value: v, low: v, high: v })) })),
  };
  return seriesPlot({ title: 'Twenty generations of a model that learns from its own slates', across: 'generation', panels: [...panels, value] });
}

/** `docs/feedback.md`. */
export function renderFeedback({ machine, loops }: FeedbackResults): string {
  const of = (name: LoopName) => loops.filter((one) => one.name === name);
  const last = <T>(values: readonly T[]): T => values.at(-1) as T;
  const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / Math.max(1, values.length);
  const table = (head: string[], lines: string[][]) => [head, head.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
  const seenAt = ({ verdicts }: LoopResult): string => (verdicts.includes('a') ? `generation ${verdicts.indexOf('a') + 1}` : 'never');
  const ends = (one: LoopResult, figure: Figure) => `${one.figures[figure][0]?.[0]} to ${last(one.figures[figure])[0]}`;
  const rows = loops.map((one) => [
    String(one.seed),
    titles[one.name],
    seenAt(one),
    ...(['coverage', 'entropy', 'amplification'] as const).map((figure) => ends(one, figure)),
    `${mean(one.value.slice(0, 3)).toFixed(3)} to ${mean(one.value.slice(-3)).toFixed(3)}`,
  ]);
  const sold = (name: LoopName, from: number, to?: number) => mean(of(name).map(({ value }) => mean(value.slice(from, to)))).toFixed(3);
  const soldLess = of('mended').filter(
    (one) =>
      mean(one.value.slice(-3)) <
      mean(
        of('naive')
          .find(({ seed }) => seed === one.seed)
          ?.value.slice(-3) ?? [],
      ),
  ).length;
  const looks = of('demand').reduce((sum, { verdicts }) => sum + verdicts.replaceAll('-', '').length, 0);
  const alarms = of('demand').reduce((sum, { verdicts }) => sum + verdicts.replaceAll(/[^a]/g, '').length, 0);
  return `# What a feedback loop does, and what mends it

\`npm run bench -- feedback\` writes this page; all figures are in feedback.json. \`npm run bench -- feedback --check\` plays the loops again and says which come out otherwise, as
\`npm test\` does for a part of one.

${world.items} items, ${world.customers} customers of ${world.tastes} tastes, ${world.generations} generations of ${world.shoppers} shoppers with ${world.slatesEach} slates each (\`experiments/feedback/simulate-loop.ts\`). What is wanted is the same in all
generations but for chance. After each generation iALS is trained again on what was taken from slates in the last ${world.windowGenerations} generations; the first one learns from what customers
bought before. ${percent(world.organicShare, 0)} of what is wanted is bought without a slate, which no model learns from.

- **naive**: slates are the model's best, and what is taken counts as it is.
- **mended once it is seen**: the same until the monitor says \`amplifying\`; from then on ${exploration.slots} of 10 places are explored, ${percent(exploration.floor, 0)} of them from all that is in scope, and what
  is taken counts by the inverse of the probability that it was shown, at most ${world.maxWeight}.
- **no loop**: the model learns from what was bought without a slate, so that nothing can amplify; looked at once it has forgotten what it began with.

![Figures over generations](feedback.svg)

Amplification: share of exposure of what is most shown (four fifths of exposure), by its share of demand. "Seen": the first look that says \`amplifying\`, with all generations until then.
Purchases of a slate are by the truth of the simulator, means of the first and of the last three generations.

${table(['seed', 'loop', 'seen', 'coverage', 'entropy, bits', 'amplification', 'purchases a slate'], rows)}

Purchases of a slate, means of all seeds: ${names.map((name) => `${titles[name]} ${sold(name, 0, 3)} to ${sold(name, -3)}`).join('; ')}. Of ${of('mended').length} mended loops ${soldLess} sold less at the end than the naive one.

Where there is no loop, ${alarms} of ${looks} looks said \`amplifying\`; looks at one loop are no independent trials. The stated rate, 2 in 100 of single looks, is counted on noise (\`experiments/feedback/trend.test.ts\`).

On ${machine}.

## What to know

- Mending goes most of the way: amplification does not come down to where it began, and coverage and entropy count the explored places too. What a slate sells comes
  back by a part of what was lost, while three places in ten are explored, in which it sells less than the model's best would.
- Weights must be bounded. In a trial with a bound of 100, and half of the explored places drawn from all that is in scope, a slate sold .36 before and .14 twelve generations later: a few takings of
  what is hardly ever shown then decide the model. This page's run does not repeat it.
- Once slates are explored, demand is taken from exploration alone, which is less than the events without a slate are: so looks at the mended loop say that there is not enough evidence.
- Exploration says what is wanted where it may put anything into a slate: with \`exploration.floor\` 0, or so small that hardly anything is drawn by it, what it drew tells of what the model
  ranks, and events without a slate are taken instead.
- Where nothing is explored the monitor needs events that no slate led to. With neither it says that there is not enough evidence, whatever coverage does.
- The stated rate of false alarms is for noise between generations with a standard deviation of up to a tenth, of which up to .6 remains in the next one. With a fifth, and .8 of it remaining,
  12 of 100 looks at 20 generations are false alarms.
- A loop that has run to its end is seen no more where only the end is looked at: the verdict is about growth. Amplification itself, coverage and the deciles are shown beside it.
- The charter has no switch for weights by propensity in training: exploration is \`exploration\` in the charter, and the weights are \`weights\` of \`Interactions\`, which iALS takes as confidence.
`;
}
