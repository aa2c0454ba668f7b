import { ActivityFailure, ApplicationFailure, CancellationScope, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import type { Trained, TrainRequest } from '../activities/api.ts';
import type { FoundGpu, GpuRule } from '../models/contracts/gpu-job.ts';
import { control, gpuAtOnce, gpuWhenever, guestOn, training, trainingOnGpu } from './proxies.ts';

type Trainer = NonNullable<TrainRequest['trainer']>;

/** Where a workflow stands, for those who ask. */
export type Where = { phase: string; why: string; candidate: string };

/** Training, here, on a GPU or by a worker of somebody else's; what such a one is given is gone behind it, however it ends. */
export async function train(request: TrainRequest, where: Where): Promise<Trained> {
  const { trainer, gpu } = request;
  if (gpu !== undefined) return trainWhereGpuIs(request, { rule: gpu, where });
  if (trainer === undefined) return training.trainCandidate(request);
  try {
    const order = await training.openTraining(request);
    const answer = await guestOn(trainer)
      .train(order)
      .catch((error: unknown) => {
        throw isCancellation(error) ? error : coded(error, { trainer, candidate: request.candidate });
      });
    return await training.trainCandidate({ ...request, answer });
  } finally {
    await CancellationScope.nonCancellable(() => control.closeTraining(request));
  }
}

/** What was found is recorded; what to do about it, an activity says. */
async function trainWhereGpuIs(request: TrainRequest, { rule, where }: { rule: GpuRule; where: Where }): Promise<Trained> {
  const { candidate } = request;
  const { phase } = where;
  const found = await gpuAtOnce.describeGpu().catch(noneOf);
  let placed = await control.placeTraining({ candidate, rule, gpu: found });
  if (placed.device === 'wait') {
    where.phase = 'waiting for a GPU';
    where.why = placed.why;
    placed = await control.placeTraining({ candidate, rule, gpu: await gpuWhenever.describeGpu() });
  }
  where.phase = `${phase}, ${placed.why}`;
  where.why = '';
  return placed.device === 'gpu' ? trainingOnGpu.trainCandidate({ ...request, device: 'gpu' }) : training.trainCandidate(request);
}

/** Whoever does not answer is not there. */
function noneOf(error: unknown): FoundGpu | null {
  if (error instanceof ActivityFailure && !isCancellation(error)) return null;
  throw error;
}

function coded(error: unknown, { trainer, candidate }: { trainer: Trainer; candidate: string }): ApplicationFailure {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const nobody = cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_START';
  const said = cause instanceof Error ? cause.message : String(cause);
  return ApplicationFailure.create({
    type: nobody ? 'UND-TRAINER-MISSING' : 'UND-TRAINER-FAILED',
    message: nobody
      ? `Nobody took the training of ${candidate} from the task queue ${trainer.taskQueue} within ${trainer.waitMs / 1000} s: no worker serves it, or all that do are busy`
      : `The trainer of ${candidate} on the task queue ${trainer.taskQueue} failed: ${said}`,
    nonRetryable: true,
    ...(error instanceof Error ? { cause: error } : {}),
  });
}
