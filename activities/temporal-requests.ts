import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowIdReusePolicy, WorkflowNotFoundError } from '@temporalio/client';
import { escalationWorkflowId, releaseMessages, releaseWorkflowId, taskQueues, workflowNames } from '../models/contracts/messages.ts';
import type { Context } from './context.ts';

/** What activities ask Temporal itself for. */
export function temporalRequests(client: Client): Pick<Context, 'submit' | 'isRunning' | 'startReport'> {
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
    startReport: async (of) => {
      try {
        await client.workflow.start(workflowNames.escalation, {
          workflowId: escalationWorkflowId(of.surface, of.id),
          taskQueue: taskQueues.control,
          args: [of],
          // One that failed may go on once the charter is mended.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
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
