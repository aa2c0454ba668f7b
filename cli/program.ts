import { Command } from 'commander';
import { attributeCommand } from './attribute/command.ts';
import { auditCommand, findingsCommand } from './audit/command.ts';
import { cardCommand } from './card/command.ts';
import { artifactCommand } from './commands/artifact.ts';
import { decisionCommands } from './commands/decide.ts';
import { explainCommand } from './explain/command.ts';
import { fairnessCommand } from './fairness/command.ts';
import { featuresCommand } from './features/command.ts';
import { ingestCommand } from './commands/ingest.ts';
import { rerunCommand } from './commands/rerun.ts';
import { retrainCommand } from './commands/retrain.ts';
import { retentionCommand } from './commands/retention.ts';
import { runsCommand, statusCommand } from './commands/status.ts';
import { schemaCommand } from './commands/schema.ts';
import { simulateCommand } from './commands/simulate.ts';
import { tuneCommand } from './commands/tune.ts';
import { upCommand } from './commands/up.ts';
import { embeddingsCommand } from './embeddings/command.ts';
import { doctorCommandIn } from './doctor/command.ts';
import { type CommandContext, readEnvironment } from './environment.ts';
import { driftCommand } from './drift/command.ts';
import { eraseCommand } from './erase/command.ts';
import { keysCommand } from './commands/keys.ts';
import { evaluateCommandIn } from './evaluate/command.ts';
import { feedbackCommand } from './feedback/command.ts';
import { frameCommand } from './frame/command.ts';
import { flagsCommand } from './flags/command.ts';
import { initCommandIn } from './init/command.ts';
import { ledgerCommand } from './ledger/command.ts';
import { canaryCommand } from './canary/command.ts';
import { opeCommand } from './ope/command.ts';
import { quarantineCommand } from './quarantine/command.ts';
import { agreementCommand } from './report/agreement.ts';
import { reportCommand } from './report/command.ts';
import { rootCauseCommand } from './root-cause/command.ts';
import { escalationsCommand } from './escalations/command.ts';
import { sessionsCommand } from './sessions/command.ts';
import { rulesCommand } from './rules/command.ts';
import { alertsCommand } from './watch/alerts-command.ts';
import { watchCommand } from './watch/watch-command.ts';

/** The whole command line. @throws UND-ENVIRONMENT naming every mistake in the environment */
export function createProgram(variables: NodeJS.ProcessEnv): Command {
  const env = readEnvironment(variables);
  const context: CommandContext = { env, cwd: env.UNDERSTUDY_CWD ?? process.cwd(), now: Date.now };
  const surroundings = {
    cwd: context.cwd,
    stdout: (text: string) => void process.stdout.write(text),
    stderr: (text: string) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY,
    nowMs: () => performance.now(),
  };
  const program = new Command('understudy').enablePositionalOptions().description('Durable retraining for recommender systems.');
  const commands = [
    upCommand(context),
    initCommandIn(context),
    frameCommand(context),
    ingestCommand(context),
    quarantineCommand(context),
    rulesCommand(context),
    eraseCommand(context),
    retentionCommand(context),
    auditCommand(context),
    findingsCommand(context),
    flagsCommand(context),
    watchCommand(context),
    alertsCommand(context),
    escalationsCommand(context),
    fairnessCommand(context),
    feedbackCommand(context),
    retrainCommand(context),
    tuneCommand(context),
    ...decisionCommands(context),
    statusCommand(context),
    runsCommand(context),
    artifactCommand(context),
    reportCommand(context),
    agreementCommand(context),
    rerunCommand(context),
    explainCommand(context),
    cardCommand(context),
    ledgerCommand(context),
    evaluateCommandIn(surroundings),
    opeCommand(context),
    attributeCommand(context),
    rootCauseCommand(context),
    driftCommand(context),
    canaryCommand(),
    featuresCommand(context),
    embeddingsCommand(context),
    schemaCommand(),
    keysCommand(),
    sessionsCommand(context),
    simulateCommand(context),
    doctorCommandIn({ cwd: context.cwd, env: variables, nodeVersion: process.versions.node }),
  ];
  for (const command of commands) program.addCommand(command);
  return program;
}
