import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { wilsonInterval } from '../experiments/binomial.ts';
import { type Case, faults, faultyCases, type Outcome, soundCases, tryCase } from '../experiments/root-cause/study.ts';
import { type CauseName, causes } from '../models/contracts/root-cause.ts';
import type { PageRun } from './page-run.ts';

/** Seeds on which nothing was tried out. */
const firstSeeds = { faulty: 4_000_000, sound: 5_000_000 };
const counts = { faulty: 30 * faults.length, sound: 400 };
export const studyCases = { faulty: faultyCases(counts.faulty, firstSeeds.faulty), sound: soundCases(counts.sound, firstSeeds.sound) };

/** One letter a case: of faulty ones L, C and T, or -, for layer, cause first, and all among the first three; of sound ones F where a fault is named. */
export const codeOf = ({ layer, first, three }: Outcome): string => `${layer ? 'L' : '-'}${first ? 'C' : '-'}${three ? 'T' : '-'}`;
export const soundCodeOf = ({ faultNamed }: Outcome): string => (faultNamed ? 'F' : '-');
/** The codes of all cases, with spaces between them. */
export type RootCauseResults = { machine: string; faulty: string; sound: string; slowestMs: number };
export const codesOf = (written: string): string[] => written.split(' ');

const docs = join(import.meta.dirname, '../docs');

/** Draws all cases; with `check` it gives those that come out otherwise than is written, else it writes docs/root-cause.md and docs/root-cause.json. */
export function benchRootCause({ machine, check, quick, say }: PageRun): string[] {
  const drawn = { faulty: [] as string[], sound: [] as string[] };
  let slowestMs = 0;
  const run = (cases: readonly Case[], of: (outcome: Outcome) => string, into: string[]) => {
    for (const [at, one] of cases.entries()) {
      const startedMs = performance.now();
      into.push(of(tryCase(one)));
      slowestMs = Math.max(slowestMs, Math.round(performance.now() - startedMs));
      if (at % 100 === 99) say(`${at + 1} of ${cases.length}`);
    }
  };
  const some = (cases: readonly Case[]) => (quick ? cases.slice(0, 40) : cases);
  run(some(studyCases.faulty), codeOf, drawn.faulty);
  run(some(studyCases.sound), soundCodeOf, drawn.sound);
  if (check) {
    const written = JSON.parse(readFileSync(join(docs, 'root-cause.json'), 'utf8')) as RootCauseResults;
    return (['faulty', 'sound'] as const).flatMap((what) => drawn[what].flatMap((code, at) => (code === codesOf(written[what])[at] ? [] : [`${what} ${at}`])));
  }
  if (quick) return [];
  const results: RootCauseResults = { machine, faulty: drawn.faulty.join(' '), sound: drawn.sound.join(' '), slowestMs };
  writeFileSync(join(docs, 'root-cause.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(docs, 'root-cause.md'), renderRootCause(results));
  return [];
}

type Coded = { planted: readonly CauseName[]; code: string };

function rate(rows: readonly Coded[], holds: (code: string) => boolean): string {
  const count = rows.filter(({ code }) => holds(code)).length;
  const [low, high] = wilsonInterval({ count, of: rows.length });
  return `${count} of ${rows.length} (${(low * 100).toFixed(1)} to ${(high * 100).toFixed(1)} %)`;
}

/** `docs/root-cause.md`. */
export function renderRootCause({ machine, faulty, sound, slowestMs }: RootCauseResults): string {
  const of = (cases: readonly Case[], codes: string): Coded[] => codesOf(codes).map((code, at) => ({ planted: cases[at]?.planted ?? [], code }));
  const rows = of(studyCases.faulty, faulty);
  const isOutside = (cause: CauseName) => causes[cause] === 'outside';
  const groups: [string, Coded[]][] = [
    ['all', rows],
    ['one fault', rows.filter(({ planted }) => planted.length === 1)],
    ['two faults', rows.filter(({ planted }) => planted.length === 2 && !planted.some(isOutside))],
    ['one fault in a season, a promotion, or with other visitors', rows.filter(({ planted }) => planted.some(isOutside))],
    ...faults.map((cause): [string, Coded[]] => [`${cause} (${causes[cause]})`, rows.filter(({ planted }) => planted.includes(cause))]),
  ];
  const table = (head: string[], lines: string[][]) => [head, head.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
  const quiet = of(studyCases.sound, sound);
  const kinds: [string, Coded[]][] = [
    ['all', quiet],
    ['a day like any other', quiet.filter(({ planted }) => planted.length === 0)],
    ...(['season', 'promotion', 'traffic-mix'] as const).map((cause): [string, Coded[]] => [cause, quiet.filter(({ planted }) => planted.includes(cause))]),
  ];
  return `# How often root-cause analysis is right

\`npm run bench -- root-cause\` writes this page; what became of each case is in root-cause.json. \`npm run bench -- root-cause --check\` draws the cases again and says which come
out otherwise, as \`npm test\` does for some.

A surface of two to five countries, three kinds of devices and three of visitors is drawn for 28 days and the day of the incident
(\`experiments/root-cause/simulated-world.ts\`): 2,000 to 60,000 slates a day, days that are overdispersed and remember the day before, weekdays that differ. In 40 of 100 a new
artifact goes live on the very day and does no harm, in 15 the rules change and do none. Causes are planted in sizes and places that are drawn
(\`experiments/root-cause/plant-causes.ts\`), in a third of cases two, or one beside something that is nobody's fault; from seeds on which nothing was tried out. In brackets: intervals of 95 % (Wilson).
The causes as they are in real processes and data are in \`activities/root-cause\`, which \`npm test\` runs.

## Something is wrong

"Layer first": the first suspect is of a layer in which a fault was planted. "Among three": each planted fault is among the first three suspects.

${table(
  ['planted', 'layer first', 'cause first', 'among three'],
  groups.map(([name, some]) => [name, rate(some, (code) => code[0] === 'L'), rate(some, (code) => code[1] === 'C'), rate(some, (code) => code[2] === 'T')]),
)}

## Nothing is wrong

${table(
  ['on', 'no fault is named'],
  kinds.map(([name, some]) => [name, rate(some, (code) => code === '-')]),
)}

A case takes at most ${slowestMs} ms on ${machine}, the drawing included.

## What is assumed

- An incident is held against stretches of time of the same length, of which there must be ${7} at least; of 28, a fault that changes a figure by four times what it changes by from day to day is found, a smaller one may not be.
- Rules and an artifact that change on the same day and are worth less cannot be told apart: both are named.
- A fault in reward that begins while a promotion lifts it by as much is not seen.
`;
}
