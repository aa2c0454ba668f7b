import { Command, CommanderError } from 'commander';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { decisionCommands } from './commands/decide.ts';
import { ingestCommand } from './commands/ingest.ts';
import { rerunCommand, retrainCommand } from './commands/retrain.ts';
import { runsCommand, statusCommand } from './commands/status.ts';
import { simulateCommand } from './commands/simulate.ts';
import { upCommand } from './commands/up.ts';
import { doctorCommand } from './doctor/command.ts';
import { type CommandContext, readEnvironment } from './environment.ts';
import { evaluateCommand } from './evaluate/command.ts';
import { initCommand } from './init/command.ts';
import { exitWith } from './output.ts';

/** The command line's composition root. */
async function main(argv: readonly string[]): Promise<void> {
  const env = readEnvironment(process.env);
  const context: CommandContext = { env, cwd: env.UNDERSTUDY_CWD ?? process.cwd(), now: Date.now };
  const program = new Command('understudy')
    .description('Durable retraining for recommender systems.')
    .showHelpAfterError('(--help lists what there is)')
    .exitOverride();
  const commands = [
    upCommand(context),
    initCommand,
    ingestCommand(context),
    retrainCommand(context),
    ...decisionCommands(context),
    statusCommand(context),
    runsCommand(context),
    rerunCommand(context),
    evaluateCommand,
    simulateCommand(context),
    doctorCommand,
  ];
  for (const command of commands) program.addCommand(command.exitOverride());
  await program.parseAsync(argv as string[]);
}

main(process.argv).then(
  () => process.exit(process.exitCode ?? 0),
  (error: unknown) => {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
    exitWith(error instanceof UnderstudyError ? error : error);
  },
);
