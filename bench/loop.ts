import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openState } from '../activities/context.ts';
import { findRunRecord } from '../activities/registry/runs.ts';
import type { LedgerEntry } from '../models/contracts/release.ts';
import { readLedger } from '../stores/ledger.ts';

export type Stage = { candidate: string; stage: string; seconds: number };
export type LoopBench = { seconds: number; stages: Stage[] };

/** The example's whole story as `npm start -- --once --yes` plays it, from an empty state directory; its stages as the ledger dates them. */
export async function benchLoop(): Promise<LoopBench> {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-bench-'));
  try {
    const startedMs = Date.now();
    const story = JSON.parse(await understudy('up', '--once', '--yes', '--json', '--port', '0', '--state', stateDir)) as { seconds: number };
    const state = openState(stateDir);
    const ledger = await readLedger(state.generations, 'home');
    const stages: Stage[] = [];
    let beforeMs = startedMs;
    for (const entries of Map.groupBy(
      ledger.filter(({ releaseId }) => releaseId !== null),
      ({ releaseId }) => releaseId,
    ).values()) {
      const [first, last] = [entries[0], entries.at(-1)];
      if (first === undefined || last === undefined) continue;
      const run = await findRunRecord({ state }, first.by);
      const candidate = String(first.detail.candidate);
      const train = run?.trainSeconds ?? 0;
      const before = (first.atMs - beforeMs) / 1000;
      stages.push({ candidate, stage: 'train', seconds: train });
      stages.push({ candidate, stage: stages.length === 1 ? 'start, data, evidence' : 'log, window, evidence', seconds: before - train });
      stages.push(...releaseStages(candidate, entries));
      beforeMs = last.atMs;
    }
    return { seconds: story.seconds, stages };
  } finally {
    await rm(stateDir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** From one mark in the ledger to the next. */
function releaseStages(candidate: string, entries: readonly LedgerEntry[]): Stage[] {
  const at = (found: (entry: LedgerEntry) => boolean) => entries.find(found)?.atMs;
  const published = (kind: string) => at((entry) => entry.operationId.includes(`-${kind}`));
  const marks: [stage: string, atMs: number | undefined][] = [
    ['', entries[0]?.atMs],
    ['rehearsal', at((entry) => entry.operationId.includes('/reopen/'))],
    ['approval', published('shadow')],
    ['shadow', published('split')],
    [published('split') === undefined ? 'close' : 'canary', entries.at(-1)?.atMs],
  ];
  const known = marks.filter((mark): mark is [string, number] => mark[1] !== undefined);
  return known.slice(1).map(([stage, atMs], place) => ({ candidate, stage, seconds: (atMs - (known[place]?.[1] ?? atMs)) / 1000 }));
}

function understudy(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../cli/understudy.ts', import.meta.url)), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve(Buffer.concat(chunks).toString('utf8')) : reject(new Error(`understudy ${args[0]} ended with ${code}`))));
  });
}

export function printLoopBench({ seconds, stages }: LoopBench): string {
  const lines = stages.map(({ candidate, stage, seconds: took }) => `${candidate.padEnd(12)} ${stage.padEnd(24)} ${took.toFixed(1).padStart(6)} s`);
  return [...lines, `${'the loop'.padEnd(37)} ${seconds.toFixed(1).padStart(6)} s`].join('\n');
}
