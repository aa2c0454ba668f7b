import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Recommended } from '../../experiments/framing/recommend.ts';
import type { Recommendation } from '../../experiments/framing/reason.ts';
import { reasonText } from './reason-text.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));

type Input = {
  folder: string;
  charter: Record<string, unknown>;
  recommended: Recommended;
  /** What was looked at, as a sentence. */
  measuredOn: string;
  /** The configuration whose `source` stays the source, and the source's file. */
  source: { config: string; file: string } | undefined;
};

/** The text of a configuration: the charter, member by member, each choice with its reasons above it. */
export function framedConfig({ folder, charter, recommended, measuredOn, source }: Input): string {
  const comments = commentsOf(recommended);
  const members = Object.entries(charter).map(([key, value]) => {
    const lines = (comments[key] ?? []).map((line) => `  // ${line}\n`).join('');
    return `${lines}  ${key}: ${indent(literal(value))},`;
  });
  const from = (path: string) => relative(folder, path).split(sep).join('/');
  const importOf = (path: string) => literal(from(path).startsWith('.') ? from(path) : `./${from(path)}`);
  return [
    `import { defineSurface } from ${importOf(`${repository}models/contracts/charter.ts`)};`,
    ...(source === undefined
      ? []
      : [
          `import { source as framed } from ${importOf(source.config)};`,
          '',
          '/** Where the events come from (the path is relative to this file). */',
          `export const source = { ...framed, file: ${literal(from(source.file))} };`,
        ]),
    '',
    '/**',
    ` * Written by \`understudy frame\`: ${measuredOn}. The reasons are`,
    ' * assumptions below too, so that they can be measured again; what has no reason stands as it was.',
    ' */',
    'export default defineSurface({',
    ...members,
    '});',
    '',
  ].join('\n');
}

function commentsOf({ recommender, objective, weights, attribution, encoder, families, repeats, window, cold }: Recommended): Record<string, string[]> {
  const verdicts = families.map(({ family, verdict, says }) => {
    const place = { candidate: recommender.choice ? 'yes' : 'not here', 'when-available': 'yes, when it is available', not: 'no' }[verdict];
    return `${family}: ${place} (${says})`;
  });
  return {
    objective: explained(objective),
    reward: [...explained(weights), ...explained(attribution)],
    repeatPolicy: explained(repeats),
    window: explained(window),
    candidates: [...explained(recommender), ...[`users: ${encoder.says}`, ...encoder.notes, ...verdicts, ...cold].flatMap(wrapped)],
  };
}

const explained = ({ says, reasons, notes }: Recommendation<unknown>): string[] =>
  [says, ...reasons.map((reason) => `- ${reasonText(reason)}`), ...notes.map((note) => `- ${note}`)].flatMap(wrapped);

/** Lines of at most 140 characters. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.replaceAll(/\s+/g, ' ').split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 140) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(lines.length === 0 ? word : `  ${word}`);
  }
  return lines;
}

const indent = (lines: string): string => lines.replaceAll('\n', '\n  ');

/** A value as TypeScript source. */
function literal(value: unknown): string {
  if (typeof value === 'string') return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
  if (typeof value !== 'object' || value === null) return String(value);
  const isList = Array.isArray(value);
  const parts = isList
    ? value.map(literal)
    : Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([key, member]) => `${/^[A-Za-z_]\w*$/.test(key) ? key : literal(key)}: ${literal(member)}`);
  const [open, close, space] = isList ? ['[', ']', ''] : ['{', '}', ' '];
  if (parts.length === 0) return `${open}${close}`;
  const line = `${open}${space}${parts.join(', ')}${space}${close}`;
  return line.length <= 140 && !line.includes('\n') ? line : `${open}\n${parts.map((part) => `  ${indent(part)},`).join('\n')}\n${close}`;
}
