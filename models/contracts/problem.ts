import { gpuProblems } from './gpu-problems.ts';
import { ledgerProblems } from './ledger-problems.ts';
import { watchProblems } from './watch-problems.ts';

/**
 * Every error a user can meet: one row each. `status` is the HTTP status (RFC 9457), `exit` the process exit code,
 * `retryable` whether Temporal may try again. docs/errors.md is tested against this table.
 */
export const problems = {
  'UND-INPUT': { status: 400, exit: 2, retryable: false, title: 'The input is not valid', remedy: 'Mend the fields that are named and send it again.' },
  'UND-JSON': { status: 400, exit: 2, retryable: false, title: 'The body is not JSON', remedy: 'Send a JSON document with Content-Type: application/json.' },
  'UND-TOO-LARGE': { status: 413, exit: 2, retryable: false, title: 'The body is too large', remedy: 'Send smaller batches.' },
  'UND-UNKNOWN-SURFACE': {
    status: 404,
    exit: 2,
    retryable: false,
    title: 'No such surface',
    remedy: 'Run `understudy status` to see the surfaces that exist.',
  },
  'UND-NOT-FOUND': { status: 404, exit: 2, retryable: false, title: 'There is no such thing here', remedy: 'Check the name or the digest.' },
  'UND-METHOD': {
    status: 405,
    exit: 2,
    retryable: false,
    title: 'Not with this method',
    remedy: 'Use one of the methods in the Allow header; /docs lists the routes.',
  },
  'UND-UNAUTHORIZED': { status: 401, exit: 3, retryable: false, title: 'A key is needed', remedy: 'Send `Authorization: Bearer <key>`.' },
  'UND-CHARTER': {
    status: 400,
    exit: 2,
    retryable: false,
    title: 'The charter has mistakes',
    remedy: 'Mend each of the fields that are named in understudy.config.ts.',
  },
  'UND-ENVIRONMENT': { status: 500, exit: 2, retryable: false, title: 'The environment has mistakes', remedy: 'Mend each of the variables that are named.' },
  'UND-PSEUDONYM-KEY': {
    status: 500,
    exit: 2,
    retryable: false,
    title: 'The pseudonym key is missing, or another one',
    remedy: 'Set UNDERSTUDY_PSEUDONYM_KEY to the key that the surface began with, for the workers and for the serving tier alike.',
  },
  'UND-FILE': {
    status: 400,
    exit: 2,
    retryable: false,
    title: 'The file cannot be read',
    remedy: 'Check that it exists, is whole, and is CSV or JSON lines (also .gz or .zst) or Parquet; a folder or a glob must hold files of one kind.',
  },
  'UND-STATE': {
    status: 500,
    exit: 7,
    retryable: false,
    title: 'The state directory cannot be used',
    remedy: 'Look at what is named: the directory must be whole, yours to write, with room on its disk. Restore it, or name another with --state.',
  },
  'UND-RULE-STOP': {
    status: 422,
    exit: 4,
    retryable: false,
    title: 'A stop-level rule failed',
    remedy: 'The last good window stays in place. Mend the source or the rule, then ingest again.',
  },
  'UND-NO-DATA': { status: 422, exit: 4, retryable: false, title: 'There is not enough data for this', remedy: 'Ingest more days or make the window shorter.' },
  'UND-TRAINING-MEMORY': {
    status: 422,
    exit: 4,
    retryable: false,
    title: 'Training does not fit into memory',
    remedy: 'Make the window or the vectors shorter, or train where there is more of it.',
  },
  'UND-TRAINING-DIVERGED': {
    status: 422,
    exit: 4,
    retryable: false,
    title: 'Training diverged',
    remedy: 'Nothing was registered. Lower the learning rate or raise the regularization, and look at the events for weights that are out of all proportion.',
  },
  'UND-TRAINER-MISSING': {
    status: 503,
    exit: 7,
    retryable: false,
    title: 'No worker took the training',
    remedy:
      'Start a worker on the task queue that is named (examples/guest-trainer), or more of them, or let the candidate wait longer (`waitMs`); then retrain again.',
  },
  'UND-TRAINER-FAILED': {
    status: 422,
    exit: 4,
    retryable: false,
    title: 'A trainer of your own failed',
    remedy: "Read what it said, and its worker's log; mend it and retrain again.",
  },
  ...gpuProblems,
  'UND-CONSERVATION': {
    status: 500,
    exit: 4,
    retryable: false,
    title: 'Rows in do not equal rows accounted for',
    remedy: 'This is a defect: nothing was published. Report it with the manifest.',
  },
  'UND-ERASED': {
    status: 410,
    exit: 4,
    retryable: false,
    title: 'The data were erased',
    remedy:
      'The certificate that is named says why (`understudy erase certificate`). Work with the data as they are now: retrain, or ingest a source without these people.',
  },
  ...ledgerProblems,
  ...watchProblems,
  'UND-DIGEST': {
    status: 500,
    exit: 4,
    retryable: false,
    title: 'The bytes do not match their digest',
    remedy: 'The stored copy is corrupt. Restore it, or rerun what made it.',
  },
  'UND-ARTIFACT': {
    status: 422,
    exit: 4,
    retryable: false,
    title: 'The artifact cannot be used',
    remedy:
      'Check the graph, the vocabulary and the manifest against examples/bring-your-own/README.md; what a trainer wrote against examples/guest-trainer/README.md.',
  },
  'UND-PARITY': {
    status: 422,
    exit: 4,
    retryable: false,
    title: 'The graph does not answer as the trainer does',
    remedy: 'Export again; look at the request that is named.',
  },
  'UND-GENERATION-TAKEN': {
    status: 409,
    exit: 5,
    retryable: false,
    title: 'A newer generation exists',
    remedy: 'Read the newest generation and decide again.',
  },
  'UND-MIXED-VERSIONS': {
    status: 409,
    exit: 5,
    retryable: false,
    title: 'Vectors of two versions do not go together',
    remedy: 'Read the vectors anew from the version that serves, and name it with each vector that is sent.',
  },
  'UND-STALE-EVIDENCE': {
    status: 409,
    exit: 5,
    retryable: false,
    title: 'The evidence is not the one under decision',
    remedy: 'Read the evidence again and vote with its digest.',
  },
  'UND-NOT-APPROVER': {
    status: 403,
    exit: 3,
    retryable: false,
    title: 'This person may not decide here',
    remedy: 'Ask one of the approvers that the charter names.',
  },
  'UND-LOOSENED': {
    status: 409,
    exit: 5,
    retryable: false,
    title: 'The charter loosens a gate',
    remedy: 'Read what it loosens (`understudy status`); if it is meant, approve with --accept-loosened.',
  },
  'UND-ALREADY-VOTED': { status: 409, exit: 5, retryable: false, title: 'This person has voted already', remedy: 'A second person must vote.' },
  'UND-NO-REQUEST': { status: 409, exit: 5, retryable: false, title: 'Nothing waits for a decision', remedy: 'Run `understudy status SURFACE`.' },
  'UND-GATE': { status: 422, exit: 6, retryable: false, title: 'A gate refused the candidate', remedy: 'Read the report; the failed gates say why.' },
  'UND-RERUN-DIFFERS': { status: 409, exit: 6, retryable: false, title: 'The rerun differs', remedy: 'The first difference is named.' },
  'UND-LOG-UNAVAILABLE': {
    status: 503,
    exit: 7,
    retryable: true,
    title: 'The event log cannot be written',
    remedy: 'Nothing of this batch was acknowledged. Look at the disk (or the broker) that is named, and send it again.',
  },
  'UND-LOG-TOPIC': {
    status: 500,
    exit: 7,
    retryable: false,
    title: "The log's topic would lose records",
    remedy: 'Change the settings that are named: what is sealed must stay until it is erased on purpose.',
  },
  'UND-LOG-KEPT': {
    status: 409,
    exit: 4,
    retryable: false,
    title: 'The log is in a Kafka, where nothing can be taken out of it',
    remedy:
      'Take in what it holds (`understudy ingest SURFACE --log`), stop the serving replicas, delete the topics that are named and their `.segments`, start the replicas and do this again: what was taken in is erased from the data.',
  },
  'UND-OVERLOADED': { status: 503, exit: 7, retryable: true, title: 'Too much at once', remedy: 'Send it again after the time in Retry-After.' },
  'UND-TOO-OFTEN': { status: 429, exit: 7, retryable: true, title: 'Too many from one sender', remedy: 'Send it again after the time in Retry-After.' },
  'UND-TEMPORAL': {
    status: 503,
    exit: 7,
    retryable: true,
    title: 'Temporal cannot be reached or had',
    remedy: 'Set TEMPORAL_ADDRESS, put `temporal` on PATH, or install Go so that it can be built.',
  },
  'UND-MLFLOW': {
    status: 503,
    exit: 7,
    retryable: true,
    title: 'MLflow cannot be reached or had',
    remedy: 'Set MLFLOW_TRACKING_URI, or install Python 3.10 or later with venv or uv.',
  },
  'UND-SERVING': { status: 503, exit: 7, retryable: true, title: 'The serving tier cannot be reached', remedy: 'Start it with `understudy up`.' },
  'UND-SETUP': {
    status: 500,
    exit: 7,
    retryable: false,
    title: 'The system cannot be set up',
    remedy: 'Mend what is named and start again; `understudy doctor` looks at every part.',
  },
  'UND-TIMEOUT': { status: 504, exit: 7, retryable: true, title: 'It took too long', remedy: 'Look at `understudy status`; the work may still go on.' },
  'UND-INTERNAL': { status: 500, exit: 1, retryable: true, title: 'Something broke inside', remedy: 'This is a defect. Report it with the request id.' },
} as const satisfies Record<string, { status: number; exit: number; retryable: boolean; title: string; remedy: string }>;

export type ProblemCode = keyof typeof problems;

/** One mistake among several: `path` points into the input (`/candidates/1/algorithm`, a JSON pointer). */
export type Mistake = { path: string; message: string };

/** An error as data: a code of the table, what happened this time, and the mistakes where there are several. */
export class UnderstudyError extends Error {
  readonly code: ProblemCode;
  readonly mistakes: readonly Mistake[];
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ProblemCode, message: string, options: { cause?: unknown; mistakes?: readonly Mistake[]; details?: Record<string, unknown> } = {}) {
    super(message, { cause: options.cause });
    this.name = 'UnderstudyError';
    this.code = code;
    this.mistakes = options.mistakes ?? [];
    this.details = options.details ?? {};
  }
}

/** RFC 9457 problem details. */
export type ProblemDetails = {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ProblemCode;
  remedy: string;
  mistakes?: readonly Mistake[];
  [extension: string]: unknown;
};

export function toProblemDetails(error: unknown): ProblemDetails {
  const known = asUnderstudyError(error);
  const row = problems[known.code];
  return {
    ...known.details,
    type: `urn:understudy:problem:${known.code}`,
    title: row.title,
    status: row.status,
    // What broke inside is for the log, not for a stranger.
    detail: known.code === 'UND-INTERNAL' ? row.title : known.message,
    code: known.code,
    remedy: row.remedy,
    ...(known.mistakes.length > 0 ? { mistakes: known.mistakes } : {}),
  };
}

export function asUnderstudyError(error: unknown): UnderstudyError {
  if (error instanceof UnderstudyError) return error;
  return new UnderstudyError('UND-INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
}

/** RFC 6901; the whole document is the empty string. */
const pointer = (path: readonly PropertyKey[]) => path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

type ZodLikeIssue = { path: PropertyKey[]; message: string; keys?: readonly string[] };

/** Turns the issues of a failed zod parse, and `more` that were found beside it, into one coded error that names all of them. */
export function inputError(code: ProblemCode, what: string, issues: readonly ZodLikeIssue[], more: readonly Mistake[] = []): UnderstudyError {
  // What zod says once of several unknown keys is a mistake each, at its place.
  const own = issues.flatMap(({ path, message, keys }) =>
    keys === undefined ? [{ path: pointer(path), message }] : keys.map((key) => ({ path: pointer([...path, key]), message: 'is not known here' })),
  );
  const mistakes = [...own, ...more];
  const named = mistakes.map((mistake) => `${mistake.path === '' ? 'all of it' : mistake.path}: ${mistake.message}`).join('; ');
  return new UnderstudyError(code, `${what} has ${mistakes.length} mistake${mistakes.length === 1 ? '' : 's'}: ${named}`, { mistakes });
}
