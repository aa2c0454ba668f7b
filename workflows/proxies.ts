import { proxyActivities } from '@temporalio/workflow';
import type { ControlActivities, TrainingActivities } from '../activities/api.ts';
import { taskQueues } from '../models/contracts/messages.ts';

const retry = { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '20 s' } as const;

/** Every activity heartbeats, so a dead worker is noticed in seconds and its successor resumes. */
const heartbeatTimeout = '10 s';

/** Short effects. The retries go on for as long as a dependency may be down. */
export const control = proxyActivities<ControlActivities>({ taskQueue: taskQueues.control, startToCloseTimeout: '5 minutes', heartbeatTimeout, retry });

/** Effects that take their time. */
export const patient = proxyActivities<ControlActivities>({ taskQueue: taskQueues.control, startToCloseTimeout: '6 hours', heartbeatTimeout, retry });

export const training = proxyActivities<TrainingActivities>({ taskQueue: taskQueues.training, startToCloseTimeout: '24 hours', heartbeatTimeout, retry });
