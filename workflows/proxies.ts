import { proxyActivities } from '@temporalio/workflow';
import type { ControlActivities, TrainingActivities } from '../activities/api.ts';
import { taskQueues } from '../models/contracts/messages.ts';

const retry = { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '20 s' } as const;

/** Short effects. The retries go on for as long as a dependency may be down. */
export const control = proxyActivities<ControlActivities>({ taskQueue: taskQueues.control, startToCloseTimeout: '2 minutes', retry });

/** Effects that take their time and heartbeat, so that a dead worker is noticed in seconds and its successor resumes. */
export const patient = proxyActivities<ControlActivities>({ taskQueue: taskQueues.control, startToCloseTimeout: '6 hours', heartbeatTimeout: '10 s', retry });

export const training = proxyActivities<TrainingActivities>({
  taskQueue: taskQueues.training,
  startToCloseTimeout: '24 hours',
  heartbeatTimeout: '30 s',
  retry,
});
