import { ActivityFailure, ApplicationFailure, CancellationScope, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import type { Trained, TrainRequest } from '../activities/api.ts';
import { control, guestOn, training } from './proxies.ts';

type Trainer = NonNullable<TrainRequest['trainer']>;

/** Training, here or by a worker of somebody else's; what such a one is given is gone behind it, however it ends. */
export async function train(request: TrainRequest): Promise<Trained> {
  const { trainer } = request;
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
