import { Command } from 'commander';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { digest, someText, surface as surfaceArgument } from '../option-values.ts';
import { emit } from '../output.ts';
import { orderOverride } from '../overrides.ts';
import { withTemporal } from '../temporal.ts';
import { castVote } from '../votes.ts';

function voteCommand(context: CommandContext, decision: 'approve' | 'reject'): Command {
  const command = new Command(decision)
    .description(decision === 'approve' ? 'say yes to the candidate under decision' : 'say no to the candidate under decision')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .requiredOption('--by <name>', "who decides: one of the charter's approvers", someText)
    .option('--evidence <digest>', 'the report that was looked at; without it, the one under decision now', digest)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (surface: string, options) => {
      const stateDir = stateDirectory(context, options.state);
      const result = await withTemporal(context, stateDir, (client) =>
        castVote(client, {
          surface,
          decision,
          by: options.by,
          why: options.why ?? '',
          evidence: options.evidence,
          key: context.env.UNDERSTUDY_APPROVER_KEY,
          acceptsLoosened: options.acceptLoosened === true,
        }),
      );
      emit({ json: options.json === true, document: result, text: `${result.message} (${result.releaseId}): ${result.outcome}` });
    });
  return decision === 'reject'
    ? command.requiredOption('--why <reason>', 'the reason, kept in the ledger', someText)
    : command
        .option('--why <reason>', 'a remark, kept in the ledger')
        .option('--accept-loosened', 'the charter loosens a gate since the last release, and that is meant');
}

const overrideHelp = {
  abort: 'end the running release now; it wins over everything, also while Temporal is down',
  rollback: 'make the champion from before live again',
  pause: 'let no release write anything until `resume`; the split stays as it is',
  resume: 'end a pause',
} as const;

function overrideCommand(context: CommandContext, action: keyof typeof overrideHelp): Command {
  return new Command(action)
    .description(overrideHelp[action])
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .requiredOption('--by <name>', 'who orders it', someText)
    .requiredOption('--why <reason>', 'the reason, kept in the ledger', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (surface: string, options) => {
      const result = await orderOverride(context, stateDirectory(context, options.state), { action, surface, by: options.by, why: options.why });
      const untold =
        action === 'resume'
          ? ' The release workflow could not be told: send it again when Temporal is back, it waits.'
          : ' The release workflow could not be told; it finds itself fenced at its next write.';
      const what = result.written ? `Generation ${result.generation} is written. ` : '';
      emit({ json: options.json === true, document: result, text: `${what}${result.note}${result.told ? '' : untold}` });
    });
}

export function decisionCommands(context: CommandContext): Command[] {
  const overrides = Object.keys(overrideHelp) as (keyof typeof overrideHelp)[];
  return [voteCommand(context, 'approve'), voteCommand(context, 'reject'), ...overrides.map((action) => overrideCommand(context, action))];
}
