/** `npm run check`: types, lint and format, and the house's own checks, side by side; everything that each one says, one after the other. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './child.mjs';
import { root } from './paths.mjs';

const checks = [
  { name: 'types', command: join(root, 'node_modules', '.bin', 'tsc'), args: ['--noEmit', '-p', '.'] },
  { name: 'lint and format', command: join(root, 'node_modules', '.bin', 'biome'), args: ['check', '.'] },
  { name: 'kernels', command: process.execPath, args: ['models/kernels/build.mjs', '--check'] },
  { name: 'house', command: process.execPath, args: ['bootstrap/checks/all.mjs'] },
].filter(({ args }) => !args[0]?.endsWith('.mjs') || existsSync(join(root, args[0])));

const results = await Promise.all(
  checks.map(async ({ name, command, args }) => {
    const startedMs = performance.now();
    const outcome = await runCommand(command, args, { cwd: root });
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    process.stdout.write(`${outcome.ok ? '' : `${outcome.output.trimEnd()}\n`}${outcome.ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
    return outcome.ok;
  }),
);
process.exitCode = results.every(Boolean) ? 0 : 1;
