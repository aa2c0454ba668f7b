import { randomInt } from 'node:crypto';
import { defineConfig } from 'vitest/config';

/** The tests that need a Kafka broker: `npm run test:kafka`. They are no part of `npm test`, because a machine may have no Java: so they end differently. */
const seed = Number(process.env.UNDERSTUDY_TEST_SEED ?? randomInt(1, 2 ** 31));

export default defineConfig({
  test: {
    reporters: ['default', ['./test/support/plain-summary.ts', { seed }]],
    pool: 'forks',
    environment: 'node',
    maxWorkers: 1,
    env: { UNDERSTUDY_TEST_SEED: String(seed) },
    setupFiles: ['test/support/seed.ts'],
    globalSetup: ['stores/kafka/testing-broker.ts'],
    include: ['**/with-broker/**/testing-*.ts'],
    // These stop their broker, or start one with other settings: there they need one of their own.
    exclude: ['**/node_modules/**', ...(process.env.UNDERSTUDY_TEST_KAFKA ? ['**/with-broker/own/**'] : [])],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
