import { CommanderError } from 'commander';
import { problems, toProblemDetails, UnderstudyError } from '../models/contracts/problem.ts';
import { emit, exitWith } from './output.ts';
import { createProgram } from './program.ts';

/** The command line's composition root. */
async function main(argv: readonly string[]): Promise<void> {
  const program = createProgram(process.env);
  for (const command of [program, ...program.commands, ...program.commands.flatMap((one) => one.commands)])
    command
      .exitOverride()
      .showHelpAfterError('  --help lists what there is.')
      .configureOutput({
        // Help is the answer to --help, so with --json it is the document.
        writeOut: (text) => emit({ json: json(), document: { help: text }, text: text.trimEnd() }),
        outputError: (text, write) => write(`UND-INPUT: ${text.replace(/^error: /, '')}`),
      });
  await program.parseAsync(argv as string[]);
}

const json = () => process.argv.includes('--json');

/** Commander has said it to a person already. */
function exitAfterCommander({ code, exitCode, message }: CommanderError): never {
  if (exitCode === 0) process.exit(0);
  const [asked, of] = process.argv.slice(2);
  const detail =
    code !== 'commander.help' ? message.replace(/^error: /, '') : asked === 'help' ? `There is no command ${of} to explain` : 'No command was named';
  if (json()) emit({ json: true, document: toProblemDetails(new UnderstudyError('UND-INPUT', detail)), text: '' });
  process.exit(problems['UND-INPUT'].exit);
}

// Who reads the answer may close before its end, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
  throw error;
});
process.on('uncaughtException', (error) => exitWith(error));

main(process.argv).then(
  () => process.exit(process.exitCode ?? 0),
  (error: unknown) => (error instanceof CommanderError ? exitAfterCommander(error) : exitWith(error)),
);
