import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type FairnessRules, fairnessRules } from '../models/contracts/fairness.ts';
import { guardrailRules } from '../models/contracts/guardrail.ts';
import { createRandom } from '../models/random.ts';
import { arranger, exposureMemory } from '../models/slate/arrange.ts';
import { type OpenFlagBook, takeMarks } from '../models/contracts/flag-book.ts';
import { guardScope, rulesFor } from '../models/slate/guardrails.ts';
import { call, makeServedState, startReplica } from '../serving/testing.ts';

type Quantiles = { p50: number; p99: number };
export type SlateBench = {
  candidates: number;
  fairMicroseconds: Record<FairnessRules['method'], Quantiles>;
  /** How long a change of the flags takes to be worked into what may be shown: one that flags items, and one of a source that judges all. */
  guard: { items: number; flaggedMs: number; requiredMs: number };
  /** From the acknowledgement by one replica until another one obeys. */
  live: { flags: number; medianMs: number; worstMs: number };
};

const [candidates, size, limitMicroseconds] = [200, 20, 150];
const groups = [0.1, 0.15, 0.2].map((minShare, nth) => ({ name: `g${nth}`, by: 'items' as const, values: ['any'], minShare }));
const methods: readonly FairnessRules[] = [
  fairnessRules.parse({ method: 'fa-ir', group: { name: 'g0', by: 'items', values: ['any'] }, share: 0.25, depth: candidates }),
  fairnessRules.parse({ method: 'exposure', groups, depth: candidates }),
];

/** What the rules of a slate take: the fairness step of 200 candidates, a change of the flags, and its way to another replica. */
export async function benchSlate(): Promise<SlateBench> {
  const fair = methods.map((rules) => [rules.method, fairTime(rules)] as const);
  return { candidates, fairMicroseconds: Object.fromEntries(fair) as SlateBench['fairMicroseconds'], guard: guardTime(100_000), live: await liveTime(20) };
}

function fairTime(fairness: FairnessRules): Quantiles {
  const random = createRandom(1);
  // One item in four is of a group, and further behind than ahead.
  const groupOf = Array.from({ length: 10_000 }, () => (random.float() < 0.25 ? [random.below(3)] : []));
  const groupsOf = (item: number): readonly number[] => groupOf[item] as readonly number[];
  const arrange = arranger<number>({ slate: { size, diversity: { weight: 0, depth: 50 } }, fairness, distance: () => 1, groupsOf });
  const memory = exposureMemory(fairness);
  const rankings = Array.from({ length: 500 }, () =>
    Array.from({ length: candidates }, (_, place) => place * 50 + random.below(50)).sort((one, other) => groupsOf(one).length - groupsOf(other).length),
  );
  const times = rankings.map((): number[] => []);
  for (let round = 0; round < 51; round += 1) {
    for (const [number, ranked] of rankings.entries()) {
      const started = performance.now();
      const list = arrange(ranked, size, memory.deficits());
      memory.note(list.slice(0, size), groupsOf);
      // What is not warm yet is not what serves.
      if (round >= 20) times[number]?.push((performance.now() - started) * 1000);
    }
  }
  // Of each ranking the median, since others share the machine.
  const taken = times.map((own) => own.sort((one, other) => one - other)[own.length >> 1] as number).sort((one, other) => one - other);
  return { p50: taken[Math.floor(taken.length * 0.5)] as number, p99: taken[Math.floor(taken.length * 0.99)] as number };
}

function guardTime(items: number): SlateBench['guard'] {
  const allowedIds = Array.from({ length: items }, (_, item) => `item-${item}`);
  const known = new Set(allowedIds);
  const scope = { allowed: (itemId: string) => known.has(itemId), allowedIds, bias: new Float32Array(), digest: '' };
  const book: OpenFlagBook = new Map();
  const change = { generation: 1, asOfMs: 0 };
  const flagged = allowedIds.filter((_, item) => item % 100 === 0).map((itemId) => ({ itemId, scores: {}, flags: ['recall'] }));
  takeMarks(book, { ...change, source: 'by-hand', mode: 'add' }, flagged);
  const narrow = (rules: object): number => {
    const inForce = rulesFor(guardrailRules.parse(rules), {});
    const times = Array.from({ length: 9 }, () => {
      const started = performance.now();
      guardScope({ scope, book, rules: inForce, nowMs: 1 });
      return performance.now() - started;
    });
    return times.sort((one, other) => one - other)[4] as number;
  };
  const flaggedMs = narrow({});
  takeMarks(
    book,
    { ...change, source: 'classifier', mode: 'replace' },
    allowedIds.map((itemId) => ({ itemId, scores: { violence: 0.1 }, flags: [] })),
  );
  const rules = { sources: [{ name: 'classifier', staleAfterMinutes: 60 }], thresholds: [{ kind: 'violence', atLeast: 0.8 }] };
  return { items, flaggedMs, requiredMs: narrow(rules) };
}

async function liveTime(flags: number): Promise<SlateBench['live']> {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-bench-'));
  const state = await makeServedState({ stateDir, charter: { exploration: { slots: 0 } } });
  await state.publish({ champion: await state.train('popularity') });
  const [one, two] = [await startReplica(stateDir, { replica: 'r1' }), await startReplica(stateDir, { replica: 'r2' })];
  try {
    const random = createRandom(1);
    const times: number[] = [];
    for (let flag = 0; flag < flags; flag += 1) {
      const itemId = state.itemIds[flag] as string;
      // At any time between two looks.
      await delay(random.below(200));
      const said = { surface: 'home', source: 'by-hand', by: 'bench', why: 'bench', mode: 'add', items: [{ itemId, flags: ['recall'] }] };
      await call(`${one.url}/v1/flags`, said);
      const started = performance.now();
      for (let isThere = true; isThere; ) {
        const { body } = await call(`${two.url}/v1/recommend`, { surface: 'home', sessionId: 'me', count: 60 });
        isThere = body.items.some((item: { itemId: string }) => item.itemId === itemId);
      }
      times.push(performance.now() - started);
    }
    times.sort((a, b) => a - b);
    return { flags, medianMs: times[flags >> 1] as number, worstMs: times.at(-1) as number };
  } finally {
    await one.close();
    await two.close();
    await rm(stateDir, { recursive: true, force: true });
  }
}

export function printSlateBench({ fairMicroseconds, guard, live }: SlateBench): string {
  const fair = Object.entries(fairMicroseconds).map(
    ([method, { p50, p99 }]) =>
      `  ${method}: a slate of ${size} from ${candidates} candidates: p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)} microseconds (${limitMicroseconds} at most)`,
  );
  return [
    'slate rules:',
    ...fair,
    `  a change of the flags is worked into a scope of ${guard.items / 1000}k items in ${guard.flaggedMs.toFixed(1)} ms; where a source judges every item, in ${guard.requiredMs.toFixed(1)} ms`,
    `  a flag that one replica has acknowledged holds at another after ${live.medianMs.toFixed(0)} ms, ${live.worstMs.toFixed(0)} at worst of ${live.flags} (1000 at most)`,
  ].join('\n');
}
