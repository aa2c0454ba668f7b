/**
 * Problems of the set-up. Their codes stand in models/contracts/problem.ts; this is what can be said before TypeScript can be run.
 */

/** @typedef {'UND-SETUP' | 'UND-TEMPORAL' | 'UND-MLFLOW'} SetupCode */

export class SetupError extends Error {
  /**
   * @param {SetupCode} code
   * @param {string} message what happened
   * @param {string} remedy what to do
   */
  constructor(code, message, remedy) {
    super(message);
    this.name = 'SetupError';
    this.code = code;
    this.remedy = remedy;
  }
}

/** Exit codes as in the table of problems. @type {Record<SetupCode, number>} */
export const exitCodes = { 'UND-SETUP': 7, 'UND-TEMPORAL': 7, 'UND-MLFLOW': 7 };

/**
 * Writes the problem for a person on stderr and, with `json`, as the one document on stdout.
 * @param {unknown} error
 * @param {{ json: boolean }} options
 * @returns {number} the exit code
 */
export function reportProblem(error, { json }) {
  if (!(error instanceof SetupError)) {
    process.stderr.write(`UND-INTERNAL: ${error instanceof Error ? error.stack : error}\n`);
    return 1;
  }
  if (json)
    process.stdout.write(
      `${JSON.stringify({ type: `urn:understudy:problem:${error.code}`, code: error.code, detail: error.message, remedy: error.remedy }, null, 2)}\n`,
    );
  process.stderr.write(`${error.code}: ${error.message}\n  ${error.remedy}\n`);
  return exitCodes[error.code];
}
