import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { createRandom } from '../../models/random.ts';
import { putDocument } from '../../stores/blobs.ts';
import type { Evaluated, RerunResult, RunInputs, Trained } from '../api.ts';
import type { Context } from '../context.ts';
import { columnMapping } from '../events/column-mapping.ts';
import { ingestSource } from '../events/ingest-source.ts';
import { digestSource } from '../events/source-bytes.ts';
import { benchContext, quietBeat, testCharter } from '../events/testing.ts';
import { evaluateCandidate } from '../evidence/evaluate-candidate.ts';
import { registerCharter } from '../registry/charters.ts';
import { compareRerun, readRun, recordRun } from '../registry/runs.ts';
import { readRecipe, trainCandidate } from '../training/train-candidate.ts';
import { prepareRetrain } from '../windows/prepare-retrain.ts';

const dayMs = 86_400_000;
const columns = 'user,item,at,kind,quantity,price,title,category';

/** Rows of a file with everything that could depend on an order: equal times, equal rows, returns, titles that change, prices of every size. */
export function drawRows({ users, perUser, days, seed }: { users: number; perUser: number; days: number; seed: number }): string[] {
  const random = createRandom(seed);
  const rows: string[] = [];
  for (let user = 0; user < users; user += 1)
    for (let number = 0; number < perUser; number += 1) {
      const item = (user % 6) * 8 + Math.floor(random.float() ** 1.6 * 8);
      // Few moments of a day, so that many fall on the same.
      const at = Date.UTC(2026, 0, 5) + Math.floor(random.float() * days) * dayMs + random.below(24) * 3_600_000;
      const kind = ['view', 'view', 'add-to-cart', 'purchase', 'purchase', 'return'][random.below(6)] as string;
      const price = (0.01 + 10 ** (random.float() * 5)).toFixed(2);
      const told = `title ${item} of ${random.below(2)},category ${item % 5}`;
      rows.push(`u${user},i${item},${new Date(at).toISOString().slice(0, 19)},${kind},${1 + random.below(3)},${price},${told}`);
    }
  // Some come twice.
  return [...rows, ...rows.slice(0, Math.ceil(rows.length / 50))];
}

export const shuffled = (rows: readonly string[], seed: number): string[] => {
  const random = createRandom(seed);
  return rows
    .map((row) => [random.float(), row] as const)
    .sort(([a], [b]) => a - b)
    .map(([, row]) => row);
};

type Options = { files: Record<string, readonly string[]>; nowMs?: number; charter?: Partial<CharterInput> };

/** A state directory with files taken in, and the one candidate of its charter as a run: all of it by the pipeline's own functions, without servers. */
export async function openRuns({ files, nowMs = Date.UTC(2026, 2, 20, 12), charter = {} }: Options) {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-rerun-'));
  const stateDir = join(folder, 'state');
  const context: Context = benchContext(stateDir, { now: () => nowMs });
  const { state } = context;
  for (const [name, rows] of Object.entries(files)) {
    await mkdir(dirname(join(folder, 'source', name)), { recursive: true });
    await writeFile(join(folder, 'source', name), `${columns}\n${rows.join('\n')}\n`);
  }
  const { digest } = await registerCharter(
    state,
    testCharter({
      repeatPolicy: 'exclude-purchased',
      window: { trainDays: 20, gapDays: 1, testDays: 5, rollingOrigins: 2 },
      slate: { diversity: { weight: 0.2 } },
      bootstrap: 'ials',
      candidates: [{ name: 'ials', algorithm: 'ials', params: { factors: 8, sweeps: 4 } }],
      ...charter,
    }),
    nowMs,
  );
  const mapping = columnMapping({
    ...{ user: 'user', item: 'item', at: 'at', kind: 'kind', quantity: 'quantity' },
    ...{ price: 'price', title: 'title', category: 'category' },
  });
  const source = { path: join(folder, 'source'), ...(await digestSource(join(folder, 'source'))) };
  const request = { surface: 'home', charter: digest, mapping: await putDocument(state.blobs, mapping), source: { ...source, name: 'file' }, endsAt: null };
  await ingestSource(context, request, quietBeat);
  return {
    folder,
    stateDir,
    context,
    state,
    /** As `retrain` does it; `work` trains and evaluates. */
    async run(work: (inputs: RunInputs) => Promise<Worked> = (inputs) => workHere(context, inputs)) {
      const [retrain] = await prepareRetrain(context, { surface: 'home', charter: digest, candidates: null, guest: null }, quietBeat);
      if (retrain === undefined) throw new Error('nothing was prepared');
      const log = { segments: null, slates: 0 };
      const { trained, evaluated } = await work({ retrain, log });
      const registered = { mlflowRunId: '', modelVersion: '' };
      const { runId } = await recordRun(context, { retrain, trained, log, evaluated, registered }, await readRecipe(context, retrain.recipe));
      return runId;
    },
    /** As `rerun` does it. */
    async rerun(runId: string, { now = context.now, work = (inputs: RunInputs) => workHere({ ...context, now }, inputs) } = {}): Promise<RerunResult> {
      const { retrain, log, unusable } = await readRun(context, runId);
      if (unusable !== undefined) return compareRerun(context, { runId, unusable });
      return compareRerun(context, { runId, retrain, log, ...(await work({ retrain, log })) });
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

type Worked = { trained: Trained; evaluated: Evaluated };

async function workHere(context: Context, { retrain, log }: RunInputs): Promise<Worked> {
  const trained = await trainCandidate(context, retrain, quietBeat);
  return { trained, evaluated: await evaluateCandidate(context, { retrain, trained, log, sinceGeneration: 0 }, quietBeat) };
}
