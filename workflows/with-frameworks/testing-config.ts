import { randomInt } from 'node:crypto';
import { defineConfig } from 'vitest/config';

/**
 * The example's trainers in frameworks of others: `npm run test:trainers`. They are no part of `npm test`: PyTorch takes 6 GB from the Python package index, Spark
 * 1 GB and a Java 17.
 */
const seed = Number(process.env.UNDERSTUDY_TEST_SEED ?? randomInt(1, 2 ** 31));

export default defineConfig({
  test: {
    reporters: ['default', ['./test/support/plain-summary.ts', { seed }]],
    pool: 'forks',
    environment: 'node',
    maxWorkers: 1,
    env: { UNDERSTUDY_TEST_SEED: String(seed) },
    setupFiles: ['test/support/seed.ts'],
    globalSetup: ['test/servers.ts'],
    include: ['workflows/with-frameworks/testing-trainers.ts'],
    testTimeout: 1_200_000,
    hookTimeout: 180_000,
  },
});
