/** Does something again and again, never twice at once, until it is ended. */
export function createRepetition(everyMs: number): { begin(work: () => Promise<void>): void; end(): Promise<void> } {
  let underway: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  return {
    begin(work) {
      timer = setInterval(() => {
        underway ??= work().finally(() => {
          underway = undefined;
        });
      }, everyMs).unref();
    },
    async end() {
      clearInterval(timer);
      await underway;
    },
  };
}
