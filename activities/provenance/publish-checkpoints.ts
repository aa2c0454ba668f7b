import { canonicalJson } from '../../models/contracts/digest.ts';
import type { LedgerCheckpoint } from '../../models/contracts/ledger-checkpoint.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { checkpointLedger, listCheckpoints } from '../../stores/ledger-checkpoints.ts';
import { readCheckpoint } from '../../stores/verify-checkpoints.ts';
import type { MlflowClient } from '../../stores/mlflow/mlflow-client.ts';
import type { Context } from '../context.ts';

const runOf = (surface: string) => ({ experiment: `understudy/${surface}`, key: `ledger/${surface}` });
const paramOf = (number: number): string => `checkpoint.${String(number).padStart(8, '0')}`;

/**
 * Writes a checkpoint of the ledger where one is due, and brings all of them to MLflow, which lies elsewhere and lets nobody change a parameter: what is in
 * the ledger by then can be cut off no more without being seen. A ledger that is not as it was is an alarm, and holds up nothing.
 */
export async function publishCheckpoints(context: Context, surface: string): Promise<void> {
  const { generations } = context.state;
  try {
    await checkpointLedger(generations, { surface, nowMs: context.now() });
  } catch (error) {
    if (!(error instanceof UnderstudyError && error.code === 'UND-DIGEST')) throw error;
    context.log(`ALARM ${surface}: ${error.message}`);
  }
  const checkpoints = await listCheckpoints(generations, surface);
  if (checkpoints.length === 0) return;
  const { runId } = await context.mlflow.findOrCreateRun({ ...runOf(surface), name: 'ledger', tags: { 'understudy.surface': surface } });
  const { params: known } = await context.mlflow.readRun({ runId });
  const wanted = Object.fromEntries(checkpoints.map((one) => [paramOf(one.number), canonicalJson(one)]));
  const other = Object.keys(wanted).filter((name) => known[name] !== undefined && known[name] !== wanted[name]);
  if (other.length > 0) context.log(`ALARM ${surface}: the ledger's ${other.join(', ')} is not the one that MLflow has`);
  const params = Object.fromEntries(Object.entries(wanted).filter(([name]) => known[name] === undefined));
  if (Object.keys(params).length > 0) await context.mlflow.logParams({ runId, params });
}

/** The checkpoints that MLflow has of a ledger. @throws UND-LEDGER when one is none; UND-NOT-FOUND when there are none */
export async function publishedCheckpoints(mlflow: MlflowClient, surface: string): Promise<LedgerCheckpoint[]> {
  const run = await mlflow.findRun(runOf(surface));
  const params = run === undefined ? {} : (await mlflow.readRun({ runId: run.runId })).params;
  const texts = Object.entries(params).filter(([name]) => name.startsWith('checkpoint.'));
  if (texts.length === 0) throw new UnderstudyError('UND-NOT-FOUND', `MLflow has no checkpoint of the ledger of ${surface}`);
  return texts.map(([name, text]) => {
    const checkpoint = readCheckpoint(text);
    if (checkpoint === undefined) throw new UnderstudyError('UND-LEDGER', `What MLflow has as ${name} of the ledger of ${surface} is no checkpoint`);
    return checkpoint;
  });
}
