import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { openState, readCharter, type State } from '../../activities/context.ts';
import { isSigned } from '../../activities/privacy/certificate.ts';
import { commitmentOf, openRequest, pendingRequests } from '../../activities/privacy/erasure-files.ts';
import { readCertificate } from '../../activities/privacy/erase-people.ts';
import { refuseTheirs } from '../../activities/privacy/erase-logs.ts';
import { countTheirs } from '../../activities/privacy/count-theirs.ts';
import { currentCharter, listSurfaces } from '../../activities/registry/charters.ts';
import { createPseudonyms } from '../../models/contracts/pseudonyms.ts';
import { type ErasureCertificate, type SignedCertificate, signedCertificate, type Subjects, subjects } from '../../models/contracts/erasure.ts';
import { erasureWorkflowId, taskQueues, workflowNames } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText } from '../option-values.ts';
import { emit, progress, say, table } from '../output.ts';
import { withTemporal } from '../temporal.ts';

type People = {
  user?: string[];
  session?: string[];
  device?: string[];
  by?: string;
  why?: string;
  reference?: string;
  models: 'retrain' | 'keep';
  dryRun?: boolean;
  state?: string;
  json?: boolean;
};
const several = (text: string, before: string[] = []): string[] => [...before, someText(text)];

/** `understudy erase`: people out of everything, with proof. */
export function eraseCommand(context: CommandContext): Command {
  return new Command('erase')
    .description('forget people: out of logs, data, quarantine, profiles, windows and the memory of replicas, with a signed certificate')
    .addCommand(
      new Command('people')
        .description('erase these people on all surfaces')
        .option('--user <id>', 'as they are known outside; again for more', several)
        .option('--session <id>', 'a session without a user; again for more', several)
        .option('--device <id>', 'a device; again for more', several)
        .option('--by <name>', 'who decides it', someText)
        .option('--why <text>', 'why', someText)
        .option('--reference <text>', 'your own number for the request; goes into the certificate', someText)
        .addOption(new Option('--models <what>', 'what becomes of models that were trained on them').choices(['retrain', 'keep']).default('retrain'))
        .option('--dry-run', 'say what there is of them, and change nothing')
        .option('--state <dir>', 'state directory', someText)
        .option('--json', 'one JSON document on stdout')
        .addHelpText(
          'after',
          '\nThe receipts that it prints are kept nowhere: with one, and the id, anybody can tell that the certificate is about that person.',
        )
        .action((options: People) => people(context, options)),
    )
    .addCommand(
      new Command('pending')
        .description('erasures that have begun and are not over, such as one whose workers had no key to sign with')
        .option('--state <dir>', 'state directory', someText)
        .option('--json', 'one JSON document on stdout')
        .action((options: { state?: string; json?: boolean }) => pending(context, options)),
    )
    .addCommand(
      new Command('resume')
        .description('go on with an erasure that failed')
        .argument('<id>', 'er-…')
        .option('--state <dir>', 'state directory', someText)
        .option('--json', 'the signed certificate')
        .action(async (id: string, options: { state?: string; json?: boolean }) => {
          const signed = await runErasure(context, { id, stateDir: stateDirectory(context, options.state) });
          emit({ json: options.json === true, document: signed, text: describe(signed) });
        }),
    )
    .addCommand(
      new Command('certificate')
        .description('the certificate of an erasure, with its signature checked')
        .argument('<id>', 'er-…')
        .option('--state <dir>', 'state directory', someText)
        .option('--json', 'the signed certificate itself, to keep or to send')
        .action(async (id: string, options: { state?: string; json?: boolean }) => {
          const signed = await readCertificate({ state: openState(stateDirectory(context, options.state)) }, id);
          emit({ json: options.json === true, document: signed, text: describe(signed) });
        }),
    )
    .addCommand(
      new Command('verify')
        .description('check a certificate without any state directory: its signature, and whether it is about somebody')
        .argument('<file>', 'the JSON of `erase certificate --json`')
        .option('--id <id>', 'the person, as they are known outside', someText)
        .option('--receipt <text>', 'what was given to them', someText)
        .option('--json', 'one JSON document on stdout')
        .action((file: string, options: { id?: string; receipt?: string; json?: boolean }) => verify(context, file, options)),
    );
}

async function people(context: CommandContext, options: People): Promise<void> {
  const state = openState(stateDirectory(context, options.state), context.env.kafka);
  const asked = subjects.safeParse({ userIds: options.user ?? [], sessionIds: options.session ?? [], deviceIds: options.device ?? [] });
  if (!asked.success) throw new UnderstudyError('UND-INPUT', `Not an id: ${asked.error.issues[0]?.path.join(' ')} ${asked.error.issues[0]?.message}`);
  const given = [...asked.data.userIds, ...asked.data.sessionIds, ...asked.data.deviceIds];
  if (given.length === 0) throw new UnderstudyError('UND-INPUT', 'Say whom: --user ID, --session ID or --device ID');
  const known = await asKept(context, state, asked.data);
  if (options.dryRun === true) {
    const counts = await countTheirs({ state, people: known });
    const text =
      counts.length === 0
        ? 'There is nothing of them in the data'
        : table(
            ['surface', 'events', 'changes', 'quarantined', 'days'],
            counts.map((one) => [one.surface, String(one.events), String(one.changes), String(one.quarantined), String(one.days)]),
          );
    return emit({ json: options.json === true, document: { dryRun: true, counts }, text: `${text}\nNothing was changed.` });
  }
  const { by, why } = options;
  if (by === undefined || why === undefined)
    throw new UnderstudyError('UND-INPUT', 'Say who decides it and why: --by NAME --why TEXT (or look first, with --dry-run)');
  await refuseTheirs({ state }, { surfaces: await listSurfaces(state), people: known });
  const { id, receipts } = await openRequest(state.root, {
    given,
    people: known,
    by,
    why,
    reference: options.reference ?? null,
    models: options.models,
    requestedAtMs: context.now(),
  });
  for (const one of receipts) say(`receipt for ${one.id}, kept nowhere, to be handed over: ${one.receipt}`);
  const signed = await runErasure(context, { id, stateDir: stateDirectory(context, options.state) });
  emit({
    json: options.json === true,
    document: { ...signed, receipts },
    text: describe(signed),
  });
}

/** @throws what failed, with what to do next: nothing of an erasure is lost, it goes on where it was. */
async function runErasure(context: CommandContext, { id, stateDir }: { id: string; stateDir: string }): Promise<SignedCertificate> {
  const step = progress(`erasure ${id}`);
  await withTemporal(context, stateDir, (client) =>
    client.workflow.execute(workflowNames.erasure, {
      workflowId: erasureWorkflowId(id),
      taskQueue: taskQueues.control,
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      args: [{ id }],
    }),
  ).catch((error) => {
    say(`The erasure is not over: understudy erase resume ${id}`);
    throw error;
  });
  step.done();
  return readCertificate({ state: openState(stateDir) }, id);
}

async function pending(context: CommandContext, options: { state?: string; json?: boolean }): Promise<void> {
  const requests = await pendingRequests(stateDirectory(context, options.state));
  const rows = requests.map(({ id, by, why, reference, requestedAtMs, commitments }) => ({
    id,
    people: commitments.length,
    by,
    why,
    reference,
    requestedAtMs,
  }));
  const text = table(
    ['erasure', 'people', 'asked', 'by', 'why'],
    rows.map((row) => [row.id, String(row.people), new Date(row.requestedAtMs).toISOString(), row.by, row.why]),
  );
  emit({
    json: options.json === true,
    document: { pending: rows },
    text: rows.length === 0 ? 'No erasure is under way' : `${text}\n\nGo on with one: understudy erase resume ID`,
  });
}

/** Ids as they are, and the pseudonyms by which surfaces know them. @throws UND-PSEUDONYM-KEY when a surface has some and the key is not here. */
async function asKept(context: CommandContext, state: State, asked: Subjects): Promise<Subjects> {
  let keyed = false;
  for (const surface of await listSurfaces(state))
    keyed ||= (await readCharter(state.blobs, await currentCharter(state, surface))).identity?.pseudonyms === 'keyed';
  if (!keyed) return asked;
  const key = context.env.UNDERSTUDY_PSEUDONYM_KEY;
  if (key === undefined) throw new UnderstudyError('UND-PSEUDONYM-KEY', 'Surfaces here know people by pseudonyms, and UNDERSTUDY_PSEUDONYM_KEY is not set');
  const { of } = createPseudonyms(key);
  const both = (ids: readonly string[]) => ids.flatMap((id) => [id, of(id)]);
  return { userIds: both(asked.userIds), sessionIds: both(asked.sessionIds), deviceIds: both(asked.deviceIds) };
}

function describe(signed: SignedCertificate): string {
  const { certificate } = signed;
  const removed = Object.entries(certificate.removed).map(([what, count]) => `${count} ${words[what] ?? what}`);
  const lines = [
    `erasure      ${certificate.id}${certificate.reference === null ? '' : `, ${certificate.reference}`}`,
    `asked by     ${certificate.by}: ${certificate.why}`,
    `done         ${new Date(certificate.doneAtMs).toISOString()}, on ${certificate.surfaces.join(', ') || 'no surface'}`,
    `removed      ${removed.join(', ') || 'nothing: there was nothing of them'}`,
    `days         ${certificate.slices.length} have a new version, or none`,
    `blobs        ${certificate.blobs.length} are gone for good`,
    `models       ${modelsText(certificate)}`,
    `looked at    ${certificate.verified.files} files, ${certificate.verified.bytes} bytes, at the end: nothing of them was found`,
    `signature    ${isSigned(signed) ? 'good' : 'BAD: this is not what was signed'}, by the key ${signed.publicKey}`,
  ];
  return lines.join('\n');
}

const words: Record<string, string> = {
  events: 'events',
  changes: 'changes',
  quarantined: 'quarantined rows',
  loggedEvents: 'records of the event log',
  slates: 'records of slates',
  featureRows: 'rows of features',
};

function modelsText({ runs, models }: ErasureCertificate): string {
  if (runs.length === 0) return 'none was trained on them';
  const live = runs.filter(({ isChampion }) => isChampion).length;
  return `${runs.length} runs were trained on days that held them${live === 0 ? '' : `, ${live} of which serves now`}; decided: ${models.decision === 'retrain' ? 'train anew' : 'keep them'}`;
}

async function verify(context: CommandContext, file: string, { id, receipt, json }: { id?: string; receipt?: string; json?: boolean }): Promise<void> {
  const path = resolve(context.cwd, file);
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new UnderstudyError('UND-FILE', `${path} cannot be read`, { cause });
  });
  const parsed = signedCertificate.safeParse(asJson(text));
  if (!parsed.success) throw new UnderstudyError('UND-FILE', `${path} is no certificate of an erasure`);
  if ((id === undefined) !== (receipt === undefined)) throw new UnderstudyError('UND-INPUT', '--id and --receipt go together');
  const { of } = context.env.UNDERSTUDY_PSEUDONYM_KEY === undefined ? { of: (one: string) => one } : createPseudonyms(context.env.UNDERSTUDY_PSEUDONYM_KEY);
  const isAbout =
    id === undefined || receipt === undefined
      ? null
      : [id, of(id)].some((one) => parsed.data.certificate.commitments.includes(commitmentOf({ receipt, id: one })));
  const signed = isSigned(parsed.data);
  if (!signed) throw new UnderstudyError('UND-DIGEST', `${path} is not what was signed`);
  if (isAbout === false) throw new UnderstudyError('UND-INPUT', `${path} is signed, and not about this person with this receipt`);
  const about = isAbout === null ? '' : '; it is about this person';
  emit({ json: json === true, document: { signed, isAbout, publicKey: parsed.data.publicKey }, text: `signed by ${parsed.data.publicKey}${about}` });
}

function asJson(text: string): unknown {
  try {
    const { receipts: _receipts, ...signed } = JSON.parse(text) as Record<string, unknown>;
    return signed;
  } catch {
    return undefined;
  }
}
