import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { cacheDirectory } from '../bootstrap/paths.mjs';
import { ensureSwiftshader } from '../bootstrap/swiftshader.mjs';
import type { GpuBench } from './gpu.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

test('the benchmark of GPUs measures whatever GPU there is', { timeout: 120_000 }, async () => {
  const { env } = process;
  const folder = await ensureSwiftshader({ cache: cacheDirectory(env), env });
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, 'gpu', '--quick', '--json'], { env: { ...env, LD_LIBRARY_PATH: folder } });
  const { gpu } = JSON.parse(stdout) as { gpu: GpuBench };
  expect(gpu).toMatchObject({ gpu: expect.stringContaining('SwiftShader'), software: true });
  expect(stderr).toContain('no measurement');
  for (const { gpuMillionPerSecond, cpuMillionPerSecond } of gpu.ials) expect(Math.min(gpuMillionPerSecond, cpuMillionPerSecond)).toBeGreaterThan(0);
  for (const { gpuMs, cpuMs } of [...gpu.sasrec, ...gpu.twoTower]) expect(Math.min(gpuMs, cpuMs)).toBeGreaterThan(0);
  expect([gpu.ials.length, gpu.sasrec.length, gpu.twoTower.length]).toEqual([2, 2, 2]);
});
