import { asUnderstudyError, problems } from '../models/contracts/problem.ts';
import { readServingEnvironment } from './environment.ts';
import { startServing } from './server.ts';

/*
 * One replica as a process. Stdout has one line of JSON when it is ready; everything else goes to stderr. SIGTERM and SIGINT answer what is under
 * way, seal the logs and end with 0.
 */

const log = (line: string): void => {
  process.stderr.write(`${new Date().toISOString()} ${line}\n`);
};

try {
  const serving = await startServing({ ...readServingEnvironment(process.env), clock: Date.now, log });
  const stop = (signal: string): void => {
    log(`${signal}: draining`);
    void serving.close().catch(() => undefined);
  };
  serving.ended.then(
    () => process.exit(0),
    (error) => {
      log(`The end was not clean: ${error instanceof Error ? error.stack : error}`);
      process.exit(1);
    },
  );
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.stdout.write(`${JSON.stringify({ ready: true, url: serving.url, pid: process.pid })}\n`);
} catch (error) {
  const known = asUnderstudyError(error);
  log(`${known.code}: ${known.message} ${problems[known.code].remedy}`);
  if (known.code === 'UND-INTERNAL') log(String(known.stack));
  process.exit(problems[known.code].exit);
}
