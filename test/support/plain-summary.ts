import type { Reporter, SerializedError, TestModule, Vitest } from 'vitest/node';

/** Says the seed at the start and ends with one plain line, `123 passed, 0 failed`, for readers that know no test runner's own output. */
export default class PlainSummary implements Reporter {
  private readonly seed: number;

  constructor({ seed }: { seed: number }) {
    this.seed = seed;
  }

  onInit(_vitest: Vitest): void {
    process.stdout.write(`seed ${this.seed} (again with UNDERSTUDY_TEST_SEED=${this.seed})\n`);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      const before = counts.failed;
      for (const test of module.children.allTests()) counts[test.result().state] += 1;
      // A file that does not load has no tests, and failed all the same.
      if (module.state() === 'failed' && counts.failed === before) counts.failed += 1;
    }
    const skipped = counts.skipped + counts.pending;
    // After vitest's own summary, which is written in the same turn.
    setImmediate(() => process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`));
  }
}
