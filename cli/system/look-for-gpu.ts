import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const entry = fileURLToPath(new URL('../../activities/training/find-gpu.ts', import.meta.url));
const said = z.union([z.object({ name: z.string(), software: z.boolean() }), z.object({ why: z.string() })]);
/** A driver that does not answer within this does not train. */
const timeoutMs = 20_000;

/** Which GPU this machine has that trainings could be done on, or why none; asked in a process of its own, which its driver may end. */
export function lookForGpu(env: NodeJS.ProcessEnv): Promise<z.output<typeof said>> {
  return new Promise((resolve) => {
    execFile(process.execPath, [entry], { env, timeout: timeoutMs, killSignal: 'SIGKILL' }, (error, stdout) => {
      const line = stdout.trim().split('\n').at(-1) ?? '';
      const answer = said.safeParse(line.startsWith('{') ? JSON.parse(line) : undefined).data;
      resolve(answer ?? { why: `the look for one ended: ${error?.signal ?? error?.code ?? 'it said nothing'}` });
    });
  });
}
