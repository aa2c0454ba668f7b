import { Command, CommanderError } from 'commander';
import { decisionCommands } from './commands/decide.ts';
import { ingestCommand } from './commands/ingest.ts';
import { rerunCommand, retrainCommand } from './commands/retrain.ts';
import { runsCommand, statusCommand } from './commands/status.ts';
import { simulateCommand } from './commands/simulate.ts';
import { upCommand } from './commands/up.ts';
import { doctorCommandIn } from './doctor/command.ts';
import { type CommandContext, readEnvironment } from './environment.ts';
import { evaluateCommandIn } from './evaluate/command.ts';
import { initCommandIn } from './init/command.ts';
import { exitWith } from './output.ts';
import { toProblemDetails, UnderstudyError } from '../models/contracts/problem.ts';

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
  const program = new Command('understudy')
    .description('Durable retraining for recommender systems.')
    .showHelpAfterError('(--help lists what there is)')
    .exitOverride();
  const commands = [
    upCommand(context),
    initCommandIn(context),
    ingestCommand(context),
    retrainCommand(context),
    ...decisionCommands(context),
    statusCommand(context),
    runsCommand(context),
    rerunCommand(context),
    evaluateCommandIn(surroundings),
    simulateCommand(context),
    doctorCommandIn({ cwd: context.cwd, env: process.env, nodeVersion: process.versions.node }),
  ];
  for (const command of commands) program.addCommand(command.exitOverride());
  await program.parseAsync(argv as string[]);
}

main(process.argv).then(
  () => process.exit(process.exitCode ?? 0),
  (error: unknown) => {
    if (error instanceof CommanderError) {
      // Commander has said it to a person already.
      if (error.exitCode !== 0 && process.argv.includes('--json'))
        process.stdout.write(`${JSON.stringify(toProblemDetails(new UnderstudyError('UND-INPUT', error.message)), null, 2)}\n`);
      process.exit(error.exitCode === 0 ? 0 : 2);
    }
    exitWith(error);
  },
);
