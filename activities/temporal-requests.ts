import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { releaseMessages, releaseWorkflowId, taskQueues, workflowNames } from '../models/contracts/messages.ts';
import type { Context } from './context.ts';

/** What activities ask Temporal itself for. */
export function temporalRequests(client: Client): Pick<Context, 'submit' | 'isRunning'> {
  return {
    submit: async (submission) => {
      await client.workflow.signalWithStart(workflowNames.release, {
        workflowId: releaseWorkflowId(submission.surface),
        taskQueue: taskQueues.control,
        args: [{ surface: submission.surface }],
        signal: releaseMessages.submitCandidate,
        signalArgs: [submission],
      });
    },
    isRunning: async (workflowId) => {
      try {
        return (await client.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },
  };
}
