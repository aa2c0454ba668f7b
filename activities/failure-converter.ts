import { DefaultFailureConverter } from '@temporalio/common';

/** Messages and stack traces of failures go where payloads go, so that the codec encrypts them. Loaded by its path, into workers, clients and workflows. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
