import { parentPort, workerData } from 'node:worker_threads';
import { kernelsOf, nextPart, type Setup, type TaskMessage } from './team.ts';

/* A thread of a team: does parts of the task it is told until none is left, and says so. */

const setup = workerData as Setup;
const kernels = kernelsOf(setup);
parentPort?.on('message', (task: TaskMessage) => {
  while (nextPart(kernels, setup.memory, task));
  parentPort?.postMessage('done');
});
