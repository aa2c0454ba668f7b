import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { kafkaOf, logVariables } from '../../stores/kafka/kafka-environment.ts';
import type { Evaluated, PreparedRetrain, RunInputs, Trained, TrainRequest } from '../api.ts';
import type { Context, State } from '../context.ts';
import type { Beat } from '../worker.ts';

/**
 * A process of its own: trains and evaluates once, by the code of a checkout, without any server. What it made goes to the blobs of the state
 * directory; which blobs, is the last line that it writes. Arguments: the checkout, the state directory, `RunInputs` as JSON.
 */
async function main([root = '', stateDir = '', inputs = '']: readonly string[]): Promise<void> {
  const { retrain, log, asOf } = JSON.parse(inputs) as RunInputs;
  const of = <Module>(path: string) => import(pathToFileURL(join(root, path)).href) as Promise<Module>;
  const { openState } = await of<typeof import('../context.ts')>('activities/context.ts');
  const { trainCandidate } = await of<typeof import('../training/train-candidate.ts')>('activities/training/train-candidate.ts');
  const { evaluateCandidate } = await of<typeof import('../evidence/evaluate-candidate.ts')>('activities/evidence/evaluate-candidate.ts');
  const state: State = openState(stateDir, kafkaOf(z.object(logVariables).parse(process.env)));
  const context = { state, now: Date.now, log: (line: string) => void process.stderr.write(`${line}\n`) } as unknown as Context;
  const beat: Beat = { beat: () => undefined, signal: new AbortController().signal, resumeDetails: undefined };
  const trained: Trained = await trainCandidate(...(await onItsDevice(context, retrain, of)), beat);
  const evaluated: Evaluated = await evaluateCandidate(context, { retrain, trained, log, sinceGeneration: 0, ...(asOf === undefined ? {} : { asOf }) }, beat);
  process.stdout.write(`${JSON.stringify({ trained, evaluated })}\n`);
  // Code of before logs could be elsewhere has nothing to close.
  await (state as Partial<State>).close?.();
}

/** What a GPU made is made by one again. */
async function onItsDevice(context: Context, retrain: PreparedRetrain, of: <Module>(path: string) => Promise<Module>): Promise<[Context, TrainRequest]> {
  if (retrain.gpu === undefined) return [context, retrain];
  const { findGpu } = await of<typeof import('../training/open-gpu.ts')>('activities/training/open-gpu.ts');
  return [
    { ...context, gpu: await findGpu() },
    { ...retrain, device: 'gpu' },
  ];
}

await main(process.argv.slice(2));
