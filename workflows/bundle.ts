/** Everything the worker runs. Temporal takes one module; this is its list, not a barrel to import from. */
export { audit, auditFollowUp } from './audit.ts';
export { erasure } from './erasure.ts';
export { escalation } from './escalation.ts';
export { ingest } from './ingest.ts';
export { release } from './release/release.ts';
export { retention } from './retention.ts';
export { requestRetrain, rerun, retrain } from './retrain.ts';
export { rootCause } from './root-cause.ts';
export { tune } from './tune.ts';
export { tellAlert, watch } from './watch.ts';
