import { Command, CommanderError } from 'commander';
import { decisionCommands } from './commands/decide.ts';
import { featuresCommand } from './features/command.ts';
import { ingestCommand } from './commands/ingest.ts';
import { rerunCommand } from './commands/rerun.ts';
import { retrainCommand } from './commands/retrain.ts';
import { retentionCommand } from './commands/retention.ts';
import { runsCommand, statusCommand } from './commands/status.ts';
import { schemaCommand } from './commands/schema.ts';
import { simulateCommand } from './commands/simulate.ts';
import { upCommand } from './commands/up.ts';
import { doctorCommandIn } from './doctor/command.ts';
import { type CommandContext, readEnvironment } from './environment.ts';
import { eraseCommand } from './erase/command.ts';
import { keysCommand } from './commands/keys.ts';
import { evaluateCommandIn } from './evaluate/command.ts';
import { frameCommand } from './frame/command.ts';
import { initCommandIn } from './init/command.ts';
import { canaryCommand } from './canary/command.ts';
import { opeCommand } from './ope/command.ts';
import { quarantineCommand } from './quarantine/command.ts';
import { agreementCommand } from './report/agreement.ts';
import { reportCommand } from './report/command.ts';
import { sessionsCommand } from './sessions/command.ts';
import { rulesCommand } from './rules/command.ts';
import { emit, exitWith } from './output.ts';
import { problems, toProblemDetails, UnderstudyError } from '../models/contracts/problem.ts';

/** The command line's composition root. */
async function main(argv: readonly string[]): Promise<void> {
  const env = readEnvironment(process.env);
  const context: CommandContext = { env, cwd: env.UNDERSTUDY_CWD ?? process.cwd(), now: Date.now };
  const surroundings = {
    cwd: context.cwd,
    stdout: (text: string) => void process.stdout.write(text),
    stderr: (text: string) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY,
    nowMs: () => performance.now(),
  };
  const program = new Command('understudy').description('Durable retraining for recommender systems.');
  const commands = [
    upCommand(context),
    initCommandIn(context),
    frameCommand(context),
    ingestCommand(context),
    quarantineCommand(context),
    rulesCommand(context),
    eraseCommand(context),
    retentionCommand(context),
    retrainCommand(context),
    ...decisionCommands(context),
    statusCommand(context),
    runsCommand(context),
    reportCommand(context),
    agreementCommand(context),
    rerunCommand(context),
    evaluateCommandIn(surroundings),
    opeCommand(context),
    canaryCommand(),
    featuresCommand(context),
    schemaCommand(),
    keysCommand(),
    sessionsCommand(context),
    simulateCommand(context),
    doctorCommandIn({ cwd: context.cwd, env: process.env, nodeVersion: process.versions.node }),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands, ...commands.flatMap((one) => one.commands)])
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
