import { ActivityCancellationType, type ActivityInterfaceFor, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { AuditTraining } from '../models/contracts/audit.ts';
import type { GpuActivities } from '../models/contracts/gpu-job.ts';
import type { ControlActivities, PreparedRetrain, TrainingActivities } from '../activities/api.ts';
import type { RootCauseActivities } from '../activities/root-cause/api.ts';
import { taskQueues } from '../models/contracts/messages.ts';
import type { GuestActivities } from '../models/contracts/train-job.ts';

const retry = { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '20 s' } as const;

/** Every activity heartbeats, so a dead worker is noticed in seconds and its successor resumes. */
const heartbeatTimeout = '10 s';

/** Short effects. The retries go on for as long as a dependency may be down. */
export const control = proxyActivities<ControlActivities>({ taskQueue: taskQueues.control, startToCloseTimeout: '5 minutes', heartbeatTimeout, retry });

/**
 * Tried once, within the workflow's own task: where a thousand begin at once that takes two thirds of the time. No heartbeat and no retry: whoever fails is asked again
 * by `control`.
 */
export const atOnce = proxyLocalActivities<ControlActivities>({ startToCloseTimeout: '10 s', retry: { maximumAttempts: 1 } });

/** Who is to be told may not be there for hours. */
export const outward = proxyActivities<ControlActivities>({
  ...{ taskQueue: taskQueues.control, startToCloseTimeout: '1 minute', heartbeatTimeout, retry: { ...retry, maximumInterval: '5 minutes' } },
});

/** Effects that take their time. */
export const patient = proxyActivities<ControlActivities>({ taskQueue: taskQueues.control, startToCloseTimeout: '6 hours', heartbeatTimeout, retry });

/** What looks for a root cause reads logs of weeks. */
export const finding = proxyActivities<RootCauseActivities>({ taskQueue: taskQueues.control, startToCloseTimeout: '2 hours', heartbeatTimeout, retry });

/** Trainings that an audit is better for, and does not wait for longer than this. */
export const retrainings = proxyActivities<AuditTraining>({
  ...{ taskQueue: taskQueues.training, scheduleToCloseTimeout: '6 hours', startToCloseTimeout: '6 hours', heartbeatTimeout, retry },
});

export const training = proxyActivities<TrainingActivities>({ taskQueue: taskQueues.training, startToCloseTimeout: '24 hours', heartbeatTimeout, retry });

/** By a worker with a GPU. It waits in the queue for one that is busy, or that is being started again. */
export const trainingOnGpu = proxyActivities<TrainingActivities>({
  ...{ taskQueue: taskQueues.trainingGpu, startToCloseTimeout: '24 hours', heartbeatTimeout, retry },
});

/** Workers with a GPU answer at once, also while they train; nobody who is there takes as long as this. */
const answersWithin = '10 s';
const answer = { taskQueue: taskQueues.gpu, startToCloseTimeout: '1 minute', heartbeatTimeout, retry } as const;
export const gpuAtOnce = proxyActivities<GpuActivities>({ ...answer, scheduleToStartTimeout: answersWithin, scheduleToCloseTimeout: '30 s' });
export const gpuWhenever = proxyActivities<GpuActivities>(answer);

/**
 * What a worker of somebody else's does. Its mistakes may come again however often it is tried, and nobody here knows which do; so an end is set. A cancellation
 * waits until it is heard: rows of people are in its hands.
 */
export const guestOn = ({ taskQueue, waitMs }: NonNullable<PreparedRetrain['trainer']>): ActivityInterfaceFor<GuestActivities> =>
  proxyActivities<GuestActivities>({
    taskQueue,
    scheduleToStartTimeout: waitMs,
    startToCloseTimeout: '7 days',
    heartbeatTimeout: '20 s',
    retry: { ...retry, maximumAttempts: 10 },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
