import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Random } from '../../models/random.ts';
import { type Order, stepNames, type Told } from './worker.ts';
import type { World } from './world.ts';

export type Step = (typeof stepNames)[number];

/** One process for one step. @param killAfterMs of its work; absent: it is let be. */
async function attempt(order: Order, killAfterMs?: number): Promise<{ ended: boolean; acknowledged: number; ms: number }> {
  const child = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), [JSON.stringify(order)], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const said: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk));
  let { acknowledged } = order;
  let startedMs = 0;
  let timer: NodeJS.Timeout | undefined;
  child.on('message', (told: Told) => {
    if (told !== 'ready') acknowledged = told.acknowledged;
    else {
      startedMs = performance.now();
      if (killAfterMs !== undefined) timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    }
  });
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exit, by) => resolve({ code: exit, signal: by }));
  });
  clearTimeout(timer);
  if (signal === null && code !== 0) throw new Error(`${order.step} ended with ${code}: ${Buffer.concat(said).toString('utf8').slice(0, 2_000)}`);
  return { ended: signal === null, acknowledged, ms: performance.now() - startedMs };
}

export type Kills = { each: number; random: Random; usualMs: Record<Step, number> };

type Play = {
  world: World;
  /** Asks for the erasure, once; answers its id. */
  ask: () => Promise<string>;
  /** How often each step is killed at most. Without: nothing is killed. */
  kills?: Kills | undefined;
  /** Behind each attempt; `killedAfterMs` of one that was killed. */
  onEnd: (step: Step, killedAfterMs: number | undefined) => Promise<void>;
};

/** All steps in order, each begun again until it comes to its end. @returns how long each took, where it was not killed */
export async function play({ world, ask, kills, onEnd }: Play): Promise<Record<Step, number>> {
  const tookMs = {} as Record<Step, number>;
  let acknowledged = 0;
  let erasure = '';
  for (const step of stepNames) {
    if (step === 'erasure') erasure = await ask();
    for (let killed = 0; ; ) {
      const killAfterMs = kills === undefined || killed >= kills.each ? undefined : kills.random.float() * 0.9 * kills.usualMs[step];
      const outcome = await attempt({ step, world, acknowledged, erasure }, killAfterMs);
      ({ acknowledged } = outcome);
      tookMs[step] = outcome.ms;
      await onEnd(step, outcome.ended ? undefined : killAfterMs);
      if (outcome.ended) break;
      killed += 1;
    }
  }
  return tookMs;
}

/** Every step once more, with nothing left to do. */
export async function playAgain({ world, erasure, acknowledged }: { world: World; erasure: string; acknowledged: number }): Promise<void> {
  for (const step of stepNames) if (!step.endsWith('-file')) await attempt({ step, world, acknowledged, erasure });
}
