import { resolve } from 'node:path';
import { Command } from 'commander';
import { openAsker } from '../ask.ts';
import { emit } from '../output.ts';
import { type Columns, type Role, roles } from './guess-columns.ts';
import { type Confirm, type InitResult, initSurface } from './init-surface.ts';
import type { ColumnProfile } from './profile-file.ts';

const flagOf = (role: Role): string => (role === 'eventId' ? 'event-id' : role);

/** `understudy init FILE`, with paths relative to `cwd`. */
export function initCommandIn({ cwd }: { cwd: string }): Command {
  const command = new Command('init')
    .description('make a new surface from a CSV, JSON lines or Parquet file: columns are guessed and confirmed, nothing is written over without --force')
    .argument('<file>', 'the file with the events')
    .option('--dir <folder>', "folder to make (default: the surface's name)")
    .option('--surface <name>', "name of the surface (default: from the file's name)")
    .option('--owner <name>', 'who owns it and approves its releases', 'owner')
    .option('--time-zone <zone>', 'IANA time zone of its days, and of times without offset', 'UTC')
    .option('--kind-is <kind>', 'what every row is, where no column says it');
  for (const role of roles) command.option(`--${flagOf(role)} <column>`, `column of ${role}; "" for none`);
  return command
    .option('--yes', 'take the guess without asking')
    .option('--force', 'write over a configuration that is there')
    .option('--dry-run', 'write nothing')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  understudy init orders.csv --surface home --user customer_id --item sku --at ordered_at --yes')
    .action(async (file: string, options: Record<string, string | boolean | undefined>) => {
      const text = (name: string) => (typeof options[name] === 'string' ? (options[name] as string) : undefined);
      const asks = process.stdin.isTTY === true && process.stderr.isTTY === true && options.yes !== true && options.json !== true;
      const folder = text('dir');
      const result = await initSurface({
        file: resolve(cwd, file),
        folder: folder === undefined ? undefined : resolve(cwd, folder),
        cwd,
        surface: text('surface'),
        owner: text('owner') ?? 'owner',
        timeZone: text('timeZone') ?? 'UTC',
        fixed: Object.fromEntries(roles.map((role) => [role, text(role)] as const).filter(([, column]) => column !== undefined)),
        constantKind: text('kindIs'),
        dryRun: options.dryRun === true,
        force: options.force === true,
        confirm: asks ? askAll : async ({ guess }) => guess,
      });
      emit({ json: options.json === true, document: result, text: describe(result) });
    });
}

/** Shows the columns, then asks for each role: Enter keeps the guess, a column's name changes it, a dash means none. */
const askAll: Confirm = async ({ profile, guess }) => {
  const asker = openAsker();
  const names = profile.columns.map((column) => column.name);
  process.stderr.write(`${profile.columns.map(sample).join('\n')}\n\nWhich column is what? Enter keeps the guess, "-" means none.\n`);
  const answer: Columns = { ...guess };
  try {
    for (const role of roles) {
      for (;;) {
        const said = (await asker.ask(`  ${role.padEnd(9)} [${guess[role] ?? '-'}] `)).trim();
        if (said !== '' && said !== '-' && !names.includes(said)) {
          process.stderr.write(`  There is no column ${said}; there is ${names.join(', ')}\n`);
          continue;
        }
        if (said !== '') answer[role] = said === '-' ? undefined : said;
        break;
      }
    }
  } finally {
    asker.close();
  }
  return answer;
};

const sample = (column: ColumnProfile): string => `  ${column.name.padEnd(20)} ${column.values.slice(0, 3).join(' | ').slice(0, 100)}`;

function describe(result: InitResult): string {
  const columns = roles.filter((role) => result.columns[role] !== undefined).map((role) => `  ${role.padEnd(9)} ${result.columns[role]}`);
  const { trainDays, gapDays = 0, testDays } = result.window;
  return [
    `${result.written ? 'Wrote' : 'Would write'} ${result.path}`,
    ...columns,
    `  days      ${result.span.days}, ${result.span.from} to ${result.span.to}: ${trainDays} to train, ${gapDays} of gap, ${testDays} to test`,
    ...result.notes.map((note) => `  note      ${note}`),
    `Next: npm start -- --config ${result.path}`,
  ].join('\n');
}
