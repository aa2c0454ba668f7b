import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, parse } from 'node:path';
import type { ColumnMappingInput } from '../../activities/events/column-mapping.ts';
import { type EventKind, eventKinds } from '../../models/contracts/event.ts';
import { surfaceName } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { parseCharter } from '../../models/contracts/charter.ts';
import { type Columns, guessColumns, isNamed, guessConstantKind, guessKinds, type Role, roles, timeFormat } from './guess-columns.ts';
import { type FileProfile, profileFile, spanOf } from './profile-file.ts';
import { alreadyThere, charterFor, configName, configText, type NewSurface, windowFor, writeConfig } from './write-config.ts';

/** Asked with the guess; answers what shall stand. */
export type Confirm = (input: { profile: FileProfile; guess: Columns }) => Promise<Columns>;

export type InitInput = {
  file: string;
  /** The folder to make; the surface's name under `cwd` when absent. */
  folder: string | undefined;
  cwd: string;
  surface: string | undefined;
  owner: string;
  timeZone: string;
  /** Columns that were said by flags; an empty string means: there is none. */
  fixed: Columns;
  constantKind: string | undefined;
  dryRun: boolean;
  /** Writes over a configuration that is there. */
  force: boolean;
  confirm: Confirm;
};

export type InitResult = {
  surface: string;
  path: string;
  written: boolean;
  columns: Columns;
  time: Pick<ColumnMappingInput, 'atFormat' | 'atPattern'>;
  constantKind: EventKind | null;
  kinds: Record<string, EventKind>;
  span: { from: string; to: string; days: number };
  window: { trainDays: number; gapDays?: number | undefined; testDays: number };
  /** What a person should look at. */
  notes: string[];
};

/**
 * Makes a surface out of a CSV, JSON lines or Parquet file: looks at it, guesses, lets `confirm` change the guess, writes the configuration.
 * @throws UND-FILE; UND-INPUT when a column is missing or does not exist, or the configuration is there already; UND-CHARTER.
 */
export async function initSurface(input: InitInput): Promise<InitResult> {
  const surface = surfaceFrom(input);
  const named = { surface, title: surface, owner: input.owner, timeZone: input.timeZone };
  // Names the mistakes in what was said before the file is looked at: the window is not known yet.
  parseCharter(charterFor({ ...named, kinds: [], spanDays: 10 }));
  const folder = input.folder ?? join(input.cwd, surface);
  const path = join(folder, configName);
  if (!input.force && (await isThere(path))) throw alreadyThere(path);
  const workDir = await mkdtemp(join(tmpdir(), 'understudy-init-'));
  try {
    const { source, profile } = await profileFile({ path: input.file, workDir });
    checkColumns({ columns: input.fixed, profile });
    const guessed = guessColumns({ profile, fixed: input.fixed });
    checkHeader({ columns: guessed, profile });
    const guess = await input.confirm({ profile, guess: guessed });
    const columns: Columns = Object.fromEntries(
      roles.map((role) => [role, guess[role]] as const).filter(([, column]) => column !== undefined && column !== ''),
    );
    checkColumns({ columns, profile });
    const { mapping, kinds, notes } = mappingFrom({ columns, profile, constantKind: input.constantKind, fixed: input.fixed, fileName: basename(input.file) });
    const span = await spanOf({ source, mapping, timeZone: input.timeZone, workDir });
    if (span === null) throw new UnderstudyError('UND-INPUT', `No row of ${columns.at} reads as a time: name another column with --at`);
    if (span.days < 3)
      notes.push(`${span.days === 1 ? 'One day' : 'Two days'} of data: a window needs a day to train on, a day to test on, and some users in both`);
    const created: NewSurface = { ...named, mapping, kinds, spanDays: span.days };
    parseCharter(charterFor(created));
    const text = configText({ folder, file: input.file, created });
    if (!input.dryRun) await writeConfig({ folder, text, force: input.force });
    return {
      surface,
      path,
      written: !input.dryRun,
      columns,
      time: { atFormat: mapping.atFormat, ...(mapping.atPattern === undefined ? {} : { atPattern: mapping.atPattern }) },
      constantKind: mapping.constantKind ?? null,
      kinds: { ...mapping.kinds },
      span,
      window: windowFor(span.days),
      notes,
    };
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

function surfaceFrom({ surface, file }: InitInput): string {
  const fromFile = parse(file)
    .base.replace(/\..*$/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 63);
  const name = surface ?? fromFile;
  if (!surfaceName.safeParse(name).success)
    throw new UnderstudyError('UND-INPUT', `"${name}" cannot name a surface (lower-case letters, digits and dashes): say one with --surface`);
  return name;
}

/** The mapping goes by names. @throws UND-INPUT when the names that it would go by are data. */
function checkHeader({ columns, profile }: { columns: Columns; profile: FileProfile }): void {
  const isData = (name: string) => (name !== '' && Number.isFinite(Number(name))) || /^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}/.test(name);
  if (!roles.some((role) => isData(columns[role] ?? ''))) return;
  const line = profile.columns.map((column) => column.name).join(', ');
  throw new UnderstudyError('UND-INPUT', `The first line holds data where the names of the columns should be (${line}): write a header above it`);
}

/** @throws UND-INPUT naming every column that is not there, or that has two roles. */
function checkColumns({ columns, profile }: { columns: Columns; profile: FileProfile }): void {
  const there = new Set(profile.columns.map((column) => column.name));
  const named = roles.map((role) => [role, columns[role]] as const).filter((pair): pair is [Role, string] => pair[1] !== undefined && pair[1] !== '');
  const mistakes = named.flatMap(([role, column], index) => {
    if (!there.has(column)) return [{ path: `/${role}`, message: `there is no column ${column}` }];
    const before = named.slice(0, index).find(([, other]) => other === column);
    return before === undefined ? [] : [{ path: `/${role}`, message: `${column} is ${before[0]} already` }];
  });
  if (mistakes.length === 0) return;
  throw new UnderstudyError(
    'UND-INPUT',
    `${mistakes.map(({ path, message }) => `${path.slice(1)}: ${message}`).join('; ')}. The file has ${[...there].join(', ')}`,
    { mistakes },
  );
}

type Mapped = { mapping: ColumnMappingInput; kinds: EventKind[]; notes: string[] };

function mappingFrom({
  columns,
  profile,
  constantKind,
  fixed,
  fileName,
}: {
  columns: Columns;
  profile: FileProfile;
  constantKind: string | undefined;
  fixed: Columns;
  fileName: string;
}): Mapped {
  const { item, at } = columns;
  const missing = [item === undefined ? '--item' : '', at === undefined ? '--at' : ''].filter((flag) => flag !== '');
  if (item === undefined || at === undefined) {
    throw new UnderstudyError(
      'UND-INPUT',
      `Cannot tell which column is what: say it with ${missing.join(' and ')}. The file has ${profile.columns.map((column) => column.name).join(', ')}`,
    );
  }
  const notes = notesOnGuess({ columns, fixed });
  const of = (name: string | undefined) => profile.columns.find((column) => column.name === name);
  const timeColumn = of(at);
  const time = (timeColumn && timeFormat(timeColumn)) ?? { atFormat: 'wall' as const };
  if (time.atPattern !== undefined && /%d\/%m|%m\/%d/.test(time.atPattern))
    notes.push(`${at} is read as ${time.atPattern}: check that day and month are not swapped`);
  if (columns.user === undefined) notes.push('No column for users: every session is anonymous, and the offline test is made on sessions');
  if (columns.kind === undefined) {
    const kind = constantKind === undefined ? guessConstantKind(columns, fileName) : checkedKind(constantKind);
    notes.push(`No column says what happened: every row counts as ${kind}`);
    return { mapping: { ...columns, item, at, ...time, constantKind: kind }, kinds: [kind], notes };
  }
  const { kinds, unknown } = guessKinds((of(columns.kind)?.values ?? []).filter((value) => !(eventKinds as readonly string[]).includes(value)));
  const known = (of(columns.kind)?.values ?? [])
    .map((value) => kinds[value] ?? value)
    .filter((value): value is EventKind => (eventKinds as readonly string[]).includes(value));
  if (known.length === 0 && constantKind === undefined)
    throw new UnderstudyError(
      'UND-INPUT',
      `${columns.kind} says ${unknown.join(', ')}, and none of it is a kind of event: name another column with --kind, or none (--kind "" --kind-is view)`,
    );
  if (unknown.length > 0) notes.push(`Rows whose ${columns.kind} is ${unknown.join(', ')} will be quarantined as unknown-kind: add the words to \`kinds\``);
  const mapping: ColumnMappingInput = { ...columns, item, at, ...time, kinds };
  return { mapping: constantKind === undefined ? mapping : { ...mapping, constantKind: checkedKind(constantKind) }, kinds: [...new Set(known)], notes };
}

/** What was taken by its place is worth a look. */
function notesOnGuess({ columns, fixed }: { columns: Columns; fixed: Columns }): string[] {
  return (['at', 'item', 'user'] as const).flatMap((role) => {
    const column = columns[role];
    const isTold = column === undefined || column === fixed[role] || isNamed(role, column);
    return isTold ? [] : [`${column} is taken for ${role} by its place: check it, and say --${role} where it is wrong`];
  });
}

function checkedKind(word: string): EventKind {
  const kind = eventKinds.find((known) => known === word);
  if (kind === undefined) throw new UnderstudyError('UND-INPUT', `--kind-is ${word}: there is ${eventKinds.join(', ')}`);
  return kind;
}
