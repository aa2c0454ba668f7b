import { toProblemDetails } from '../../models/contracts/problem.ts';
import { findGpu } from './open-gpu.ts';

/* A process of its own, since a driver that fails may end it: says on one line of JSON which GPU there is, or why there is none. */
findGpu().then(
  ({ name, software }) => {
    process.stdout.write(`${JSON.stringify({ name, software })}\n`);
    process.exit(0);
  },
  (error: unknown) => {
    process.stdout.write(`${JSON.stringify({ why: toProblemDetails(error).detail })}\n`);
    process.exit(1);
  },
);
