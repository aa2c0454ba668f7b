import { problems, toProblemDetails } from '../models/contracts/problem.ts';
import { codedError } from './coded-error.ts';

let answered = false;

/** The answer of a command: with `json`, exactly one JSON document on stdout; without, text for a person. All else goes to stderr. */
export function emit({ json, document, text }: { json: boolean; document: unknown; text: string }): void {
  answered = true;
  process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${text}\n`);
}

/** A line for a person, beside the answer. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Ends the process with the problem on stderr and the exit code of the table. With `--json` the problem is the one document on stdout, unless there was an answer. */
export function exitWith(error: unknown, { json = process.argv.includes('--json') }: { json?: boolean } = {}): never {
  const known = codedError(error);
  const details = toProblemDetails(known);
  if (json && !answered) process.stdout.write(`${JSON.stringify(details, null, 2)}\n`);
  process.stderr.write(`${known.code}: ${known.message}\n`);
  if (known.mistakes.length > 1) for (const mistake of known.mistakes) process.stderr.write(`  ${mistake.path}: ${mistake.message}\n`);
  process.stderr.write(`  ${details.remedy}\n`);
  if (known.code === 'UND-INTERNAL' && known.cause instanceof Error) process.stderr.write(`${known.cause.stack ?? ''}\n`);
  process.exit(problems[known.code].exit);
}

/** A step that takes its time: a live line on a terminal, a plain line at start and end otherwise. */
export function progress(what: string, { announce = true } = {}): { note: (text: string) => void; done: (text?: string) => void } {
  const startedMs = performance.now();
  const seconds = () => `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
  if (!process.stderr.isTTY) {
    if (announce) say(`${what} ...`);
    return { note: () => undefined, done: (text) => say(`${what}: ${text ?? 'done'} (${seconds()})`) };
  }
  let detail = '';
  const frames = ['-', '\\', '|', '/'];
  let frame = 0;
  const draw = () => {
    frame += 1;
    process.stderr.write(`\r\u001b[2K${frames[frame % frames.length]} ${what} ${detail} ${seconds()}`);
  };
  const timer = setInterval(draw, 200);
  timer.unref();
  return {
    note: (text) => {
      detail = text;
    },
    done: (text) => {
      clearInterval(timer);
      process.stderr.write(`\r\u001b[2K${what}: ${text ?? 'done'} (${seconds()})\n`);
    },
  };
}

/** How long something still takes, as exactly as that can be known. */
export function timeLeft(ms: number): string {
  if (ms < 90_000) return `${Math.ceil(ms / 1000)} s`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

/** Columns as wide as their widest cell; the last one runs free. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === head.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
