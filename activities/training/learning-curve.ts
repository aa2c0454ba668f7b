import type { TrainStep } from '../../models/algorithms/algorithm.ts';
import { evaluationWorkflowId, retrainWorkflowId } from '../../models/contracts/messages.ts';
import type { MetricPoint, MlflowRun } from '../../stores/mlflow/mlflow-client.ts';
import type { PreparedRetrain } from '../api.ts';
import type { Context } from '../context.ts';
import type { Beat } from '../worker.ts';
import { isTriedAgain } from './checkpoints.ts';

export type LearningCurve = { add(step: Pick<TrainStep, 'done' | 'total' | 'figures'>): void };

/** A curve has no more points than that can be told apart in a picture. */
const pointsAtMost = 1_000;
const sendEveryMs = 1_000;

type Input = { work: PreparedRetrain; beat: Pick<Beat, 'workflowId' | 'signal'> };

/**
 * The figures of a training, in its run in MLflow while it goes on; a training that fails ends that run as failed. Only that of the run's own workflow has one:
 * a rerun registers nothing. MLflow is a projection, and a server that is not there costs the curve, not the training.
 */
export async function withCurve<T>(context: Context, { work, beat }: Input, train: (curve: LearningCurve) => Promise<T>): Promise<T> {
  const key = evaluationWorkflowId(retrainWorkflowId(work.surface, work.window, work.recipe), work.attempt);
  if (beat.workflowId !== key) return train({ add: () => undefined });
  const { mlflow, now, log } = context;
  let run: Promise<MlflowRun> | undefined;
  const open = () =>
    (run ??= mlflow.findOrCreateRun({
      experiment: `understudy/${work.surface}`,
      ...{ key, name: work.candidate },
      tags: { 'understudy.surface': work.surface },
    }));
  let waiting: MetricPoint[] = [];
  let sending: Promise<void> | undefined;
  let sentMs = Number.NEGATIVE_INFINITY;
  let isLost = false;

  const attempt = async (what: () => Promise<void>): Promise<void> => {
    if (isLost) return;
    try {
      await what();
    } catch (error) {
      isLost = true;
      log(`the learning curve of ${work.candidate} ends here: ${error instanceof Error ? error.message : error}`);
    }
  };
  const send = (): Promise<void> => {
    const points = waiting;
    waiting = [];
    sentMs = now();
    return attempt(async () => {
      const { runId, startedAtMs } = await open();
      // A training that was resumed makes the same points again, which are then the same to MLflow: hence no time of the clock.
      if (points.length > 0) await mlflow.logPoints({ runId, points: points.map((point) => ({ ...point, atMs: startedAtMs + point.step })) });
    });
  };
  const curve: LearningCurve = {
    add({ done, total, figures }) {
      if (figures === undefined || isLost) return;
      const every = Math.ceil(total / pointsAtMost);
      // What is measured at each step can be thinned out; what seldom comes is all there is.
      for (const [name, value] of Object.entries(figures))
        if (Number.isFinite(value) && (name !== 'loss' || done % every === 0 || done === total)) waiting.push({ name, value, step: done, atMs: 0 });
      if (sending !== undefined || now() - sentMs < sendEveryMs) return;
      sending = send().finally(() => {
        sending = undefined;
      });
    },
  };
  try {
    const trained = await train(curve);
    await sending;
    if (waiting.length > 0) await send();
    return trained;
  } catch (error) {
    await sending;
    // Where it is cut off, too.
    if (waiting.length > 0) await send();
    if (run !== undefined && !isTriedAgain(error, beat.signal)) await attempt(async () => mlflow.endRun({ runId: (await open()).runId, status: 'FAILED' }));
    throw error;
  }
}
