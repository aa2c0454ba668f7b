/**
 * Has Temporal's own SDK download its dev server into the directory that is named, and starts it once. Run by the pinned Node, in a
 * process of its own, so that a download that hangs can be ended.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [downloadDir] = process.argv.slice(2);
const environment = await TestWorkflowEnvironment.createLocal({ server: { executable: { type: 'cached-download', downloadDir } } });
await environment.teardown();
process.exit(0);
