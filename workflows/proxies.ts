import { ActivityCancellationType, type ActivityInterfaceFor, proxyActivities } from '@temporalio/workflow';
import type { ControlActivities, PreparedRetrain, TrainingActivities } from '../activities/api.ts';
import { taskQueues } from '../models/contracts/messages.ts';
import type { GuestActivities } from '../models/contracts/train-job.ts';

const retry = { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '20 s' } as const;

/** Every activity heartbeats, so a dead worker is noticed in seconds and its successor resumes. */
const heartbeatTimeout = '10 s';

/** Short effects. The retries go on for as long as a dependency may be down. */
export const control = proxyActivities<ControlActivities>({ taskQueue: taskQueues.control, startToCloseTimeout: '5 minutes', heartbeatTimeout, retry });

/** Effects that take their time. */
export const patient = proxyActivities<ControlActivities>({ taskQueue: taskQueues.control, startToCloseTimeout: '6 hours', heartbeatTimeout, retry });

export const training = proxyActivities<TrainingActivities>({ taskQueue: taskQueues.training, startToCloseTimeout: '24 hours', heartbeatTimeout, retry });

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
