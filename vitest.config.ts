import { randomInt } from 'node:crypto';
import { defineConfig } from 'vitest/config';
import { swiftshaderFolder } from './bootstrap/swiftshader.mjs';
import { cacheDirectory } from './bootstrap/paths.mjs';
import { LongestFirst } from './test/support/longest-first.ts';

/** One seed for everything random in the tests; printed, so that a failure can be had again: UNDERSTUDY_TEST_SEED=n npm test. */
const seed = Number(process.env.UNDERSTUDY_TEST_SEED ?? randomInt(1, 2 ** 31));

const shared = {
  pool: 'forks' as const,
  environment: 'node' as const,
  // Two cores are the machine that everything must run on.
  maxWorkers: 2,
  env: { UNDERSTUDY_TEST_SEED: String(seed) },
  setupFiles: ['test/support/seed.ts'],
};
const never = ['**/node_modules/**', '**/.understudy/**'];
const withServers = [
  'cli/system/start-system.test.ts',
  'cli/commands/schedule.test.ts',
  'test/*.test.ts',
  'workflows/**/*.test.ts',
  'stores/mlflow/**/*.test.ts',
];
/** On a GPU in software, which their process must be started with. */
const onGpu = ['models/gpu/*.test.ts'];
/** Alone: it needs both cores for itself. */
const story = ['test/story/*.test.ts'];

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ['default', ['./test/support/plain-summary.ts', { seed }]],
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: [...never, ...withServers, ...onGpu, ...story],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: 'gpu',
          include: onGpu,
          exclude: [...never, ...withServers],
          env: { ...shared.env, LD_LIBRARY_PATH: swiftshaderFolder({ cache: cacheDirectory(process.env) }) },
          globalSetup: ['test/gpu.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: 'system',
          include: withServers,
          exclude: never,
          globalSetup: ['test/servers.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...shared,
          name: 'story',
          include: story,
          exclude: never,
          globalSetup: ['test/servers.ts'],
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
