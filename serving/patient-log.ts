import { asUnderstudyError, UnderstudyError } from '../models/contracts/problem.ts';
import type { LogWriter } from '../stores/event-log.ts';

/** A log that need not be there yet: until it can be opened each append is refused, and opening it is tried again and again. */
export type PatientLog = LogWriter & {
  /** Why nothing can be written, null where it was opened. */
  trouble(): string | null;
};

/** Resolves after the first attempt, whatever came of it: a surface without its log still serves slates. */
export async function openPatientLog({
  open,
  onTrouble,
  retryMs = 1_000,
}: {
  open: () => Promise<LogWriter>;
  /** At the first failure of a row. */
  onTrouble: (why: string) => void;
  retryMs?: number;
}): Promise<PatientLog> {
  let writer: LogWriter | undefined;
  let failure: UnderstudyError | undefined;
  let attempt: Promise<void> | undefined;
  let closed = false;

  async function tryOnce(): Promise<void> {
    try {
      const opened = await open();
      if (closed) return opened.close();
      writer = opened;
      failure = undefined;
    } catch (error) {
      const { message } = asUnderstudyError(error);
      if (failure === undefined) onTrouble(message);
      failure = new UnderstudyError('UND-LOG-UNAVAILABLE', `The log cannot be opened: ${message}`, { cause: error });
    }
  }
  const tryAgain = (): void => {
    if (writer !== undefined) clearInterval(timer);
    else
      attempt ??= tryOnce().finally(() => {
        attempt = undefined;
      });
  };
  await tryOnce();
  const timer = setInterval(tryAgain, retryMs).unref();
  const notThere = () => Promise.reject(failure ?? new UnderstudyError('UND-LOG-UNAVAILABLE', 'The log is closed'));

  return {
    append: (records) => writer?.append(records) ?? notThere(),
    seal: () => writer?.seal() ?? notThere(),
    waitingMs: () => writer?.waitingMs() ?? 0,
    trouble: () => failure?.message ?? null,
    async close() {
      closed = true;
      clearInterval(timer);
      await attempt;
      await writer?.close();
    },
  };
}
