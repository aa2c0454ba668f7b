import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beyondAccuracy, beyondNames, ExposureTally, type ItemFacts, longTail } from '../experiments/ranking/catalog.ts';
import { GroupedMeans } from '../experiments/ranking/grouped-means.ts';
import { measureUser, metricNames } from '../experiments/ranking/metrics.ts';
import { segmentUsers, type UserFacts } from '../experiments/ranking/segments.ts';
import { createRandom } from '../models/random.ts';
import { diversify } from '../models/slate/diversify.ts';
import { itemWords, wordDistances } from '../models/slate/item-words.ts';
import { measuredInChild } from './measured-in-child.ts';

export type RankingBench = { users: number; metrics: number } & Measured & {
    /** The same on a tenth of the users: memory must not grow with them. */
    tenth: Measured;
    diversifyMicroseconds: number;
    peer: { name: string; users: number; cpuSecondsPerMillion: number } | null;
  };
type Measured = { seconds: number; cpuSeconds: number; maxMemoryMb: number };

const limitSeconds = 10;
const items = 100_000;
const listed = 20;

/** Ranking and catalog metrics with intervals and segments, on one core, each size in a process of its own. */
export async function benchRanking({ users = 1_000_000, python }: { users?: number; python: string | undefined }): Promise<RankingBench> {
  const [whole, tenth] = [await inChild(users), await inChild(users / 10)];
  const peer = python === undefined ? null : peerIn(python);
  return { users, metrics: metricNames([10, 20]).length + beyondNames(10).length, ...whole, tenth, diversifyMicroseconds: diversifyTime(), peer };
}

function inChild(users: number): Promise<Measured> {
  return measuredInChild<Measured>({ file: fileURLToPath(import.meta.url), argument: String(users) });
}

/** Titles of six words, each item's own choice of a few thousand. */
function facts(): ItemFacts {
  const random = createRandom(1);
  const catalog = Array.from({ length: items }, (_, item) => ({
    itemId: String(item),
    title: Array.from({ length: 6 }, () => `w${Math.floor(3_000 * random.float() ** 2)}`).join(' '),
  }));
  const words = itemWords(catalog);
  const ids = catalog.map(({ itemId }) => itemId);
  const usersOfItem = Float64Array.from({ length: items }, (_, item) => 1 + 50_000 / (1 + item));
  return { usersOfItem, userCount: 1_000_000, tail: longTail(usersOfItem), distance: wordDistances(words, ids) };
}

/** Two models, as candidate and champion are measured; the lists are drawn beside the clock. */
function measure(users: number): Measured {
  const random = createRandom(2);
  const aboutItems = facts();
  const cutoffs = [10, 20];
  const names = metricNames(cutoffs);
  const allNames = [...names, ...beyondNames(10)];
  const segmentations = [
    { by: 'events' as const, bounds: [5, 20] },
    { by: 'days-since-last' as const, bounds: [30] },
  ];
  const values = new Float64Array(names.length);
  const means = new GroupedMeans({ names: allNames });
  const exposure = new ExposureTally({ itemCount: items, cutoff: 10 });
  const parts = Array.from({ length: 5 }, () => new GroupedMeans({ names: allNames, groups: 1024 }));
  const baseline = Array.from({ length: 10 }, (_, item) => item);
  const list: number[] = [];
  let [seconds, cpuSeconds] = [0, 0];
  const clock = (work: () => void) => {
    const [startedMs, before] = [performance.now(), process.cpuUsage()];
    work();
    const { user, system } = process.cpuUsage(before);
    seconds += (performance.now() - startedMs) / 1000;
    cpuSeconds += (user + system) / 1e6;
  };
  const batch = 10_000;
  for (let from = 0; from < users; from += batch) {
    const drawn = Array.from({ length: Math.min(batch, users - from) }, () => {
      const first = Math.floor(items * random.float() ** 3);
      const ranked = Array.from({ length: listed }, (_, place) => (first + place * 37) % items);
      return { ranked, wanted: new Set([ranked[random.below(listed)] as number, random.below(items), random.below(items)]) };
    });
    const knownOf = drawn.map((): UserFacts => ({ events: random.below(40), daysSinceFirst: 100, daysSinceLast: random.below(60), category: null }));
    clock(() => {
      const { ofUser } = segmentUsers({ segmentations, users: knownOf });
      for (const [number, { ranked, wanted }] of drawn.entries()) {
        measureUser({ list: ranked, wanted, cutoffs, values });
        const all = [...values, ...beyondAccuracy({ list: ranked, relevant: wanted, baseline, cutoff: 10, items: aboutItems })];
        means.add(all);
        exposure.add(ranked);
        for (const place of ofUser[number] ?? []) parts[place]?.add(all);
      }
    });
  }
  clock(() => {
    list.push(Object.keys(means.intervals({ seed: 1, replications: 500 })).length, exposure.summarize().gini);
    for (const part of parts) list.push(Object.keys(part.intervals({ seed: 1, replications: 500 })).length);
  });
  return { seconds, cpuSeconds, maxMemoryMb: process.resourceUsage().maxRSS / 1024 };
}

/** One slate of 10 from 50. */
function diversifyTime(): number {
  const { distance } = facts();
  const ranked = Array.from({ length: 100 }, (_, place) => place * 17);
  const rounds = 2_000;
  const started = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) diversify({ ranked, size: 10, diversity: { weight: 0.3, depth: 50 }, distance });
  const { user, system } = process.cpuUsage(started);
  return (user + system) / rounds;
}

/** scikit-learn comes with MLflow: its ndcg_score alone, over lists of the same length. */
function peerIn(python: string): RankingBench['peer'] {
  const users = 50_000;
  const script = `
import time, numpy, sklearn
from sklearn.metrics import ndcg_score
rng = numpy.random.default_rng(1)
wanted = (rng.random((${users}, ${listed})) < 0.1).astype(float)
wanted[:, 0] = 1
scores = numpy.tile(numpy.arange(${listed}, 0, -1.0), (${users}, 1))
started = time.process_time()
ndcg_score(wanted, scores, k=10)
print(sklearn.__version__, time.process_time() - started)`;
  const { status, stdout } = spawnSync(python, ['-c', script], { encoding: 'utf8' });
  if (status !== 0) return null;
  const [version = '', seconds = ''] = stdout.trim().split(' ');
  return { name: `ndcg_score of scikit-learn ${version}`, users, cpuSecondsPerMillion: (Number(seconds) / users) * 1e6 };
}

export function printRankingBench({ users, metrics, seconds, cpuSeconds, maxMemoryMb, tenth, diversifyMicroseconds, peer }: RankingBench): string {
  return [
    `ranking: ${metrics} metrics of top ${listed}, spread over ${items} items, 5 segments, intervals: ${users / 1e6} M users in ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU (${limitSeconds} at most)`,
    `  memory ${maxMemoryMb.toFixed(0)} MB; with a tenth of the users ${tenth.maxMemoryMb.toFixed(0)} MB`,
    `  a slate of 10 made diverse from the best 50: ${diversifyMicroseconds.toFixed(0)} microseconds`,
    ...(peer === null
      ? []
      : [`  ${peer.name}, NDCG@10 alone, without intervals: ${peer.cpuSecondsPerMillion.toFixed(1)} s of CPU a million users (on ${peer.users})`]),
  ].join('\n');
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(measure(Number(process.argv[2])))}\n`);
