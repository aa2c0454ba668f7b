import type { Charter } from '../models/contracts/charter.ts';
import { asUnderstudyError } from '../models/contracts/problem.ts';
import { type Audience, closedScope, guardScope, type Guarded, rulesFor } from '../models/slate/guardrails.ts';
import type { Scope } from '../models/slate/scope.ts';
import type { BlobStore } from '../stores/blobs.ts';
import { openFlagReader } from '../stores/flags.ts';
import type { GenerationStore } from '../stores/generations.ts';
import { createRepetition } from './repetition.ts';

/** What may be shown of a scope, to whom, as far as this replica has heard. */
export type Guard = {
  /** The same object for as long as it stays so. */
  of(input: { charter: Charter; scope: Scope; audience: Audience; nowMs: number }): Guarded;
  /** Number of the newest change of the flags that is in force here. */
  generation(): number;
  /** Looks for new flags at once. */
  look(): Promise<void>;
  troubles(now: { charter: Charter; scope: Scope; nowMs: number }): string[];
  close(): Promise<void>;
};

type Options = { name: string; blobs: BlobStore; generations: GenerationStore; log: (line: string) => void };

/** Looked for this often; a look reads one small file where nothing is new. */
const lookEveryMs = 150;
/** Rules that hold for different people make views of their own. */
const viewsAtMost = 64;

/** Follows the flags of a surface from now on. As long as they have never been read, nobody knows what may be shown, and nothing is. */
export async function openGuard({ name, blobs, generations, log }: Options): Promise<Guard> {
  const reader = openFlagReader({ surface: name, blobs, generations });
  const looks = createRepetition(lookEveryMs);
  let everRead = false;
  let blindness: string | null = null;
  /** Of one charter, scope and state of the flags; emptied when any of them is another one. */
  let views = new Map<string, Guarded>();
  let viewsOf: { charter: Charter; scope: Scope } | undefined;
  let underway: Promise<void> | undefined;

  async function lookOnce(): Promise<void> {
    try {
      if (await reader.look()) views = new Map();
      if (!everRead) [everRead, views] = [true, new Map()];
      if (blindness !== null) log(`${name}: the flags can be read again`);
      blindness = null;
    } catch (error) {
      const { message } = asUnderstudyError(error);
      if (blindness === null) log(`${name}: the flags cannot be read: ${message}`);
      blindness = message;
    }
  }
  /** The reader takes one look at a time. */
  const look = (): Promise<void> => {
    underway ??= lookOnce().finally(() => {
      underway = undefined;
    });
    return underway;
  };
  await look();
  looks.begin(look);

  const guard: Guard = {
    of({ charter, scope, audience, nowMs }) {
      if (viewsOf?.charter !== charter || viewsOf.scope !== scope) [viewsOf, views] = [{ charter, scope }, new Map()];
      const rules = rulesFor(charter.guardrails, audience);
      const key = everRead ? rules.key : 'never read';
      const known = views.get(key);
      if (known !== undefined && nowMs < known.untilMs) return known;
      const fresh = everRead ? guardScope({ scope, book: reader.book(), rules, nowMs }) : closedScope(scope);
      if (views.size >= viewsAtMost) views.clear();
      views.set(key, fresh);
      return fresh;
    },
    generation: () => reader.generation(),
    async look() {
      // One that is under way may have begun before what is looked for was written.
      await underway;
      await look();
    },
    troubles(now) {
      const { silent } = guard.of({ ...now, audience: {} });
      const blind = blindness === null ? [] : [`${name}: the flags cannot be read: ${blindness}`];
      return [...blind, ...silent.map((source) => `${name}: ${source} has not judged anything lately: what it was to judge is not shown`)];
    },
    close: () => looks.end(),
  };
  return guard;
}

/** Which of some ids may be shown, as model threads take it: shared, not copied, and told apart by its number. */
export type Mask = { number: number; allowed: Uint8Array };

let masks = 0;
const masksOf = new WeakMap<Guarded, WeakMap<readonly string[], Mask>>();

/** @returns undefined where nothing is held back: what is built into the threads is enough */
export function maskOf(guarded: Guarded, ids: readonly string[]): Mask | undefined {
  if (guarded.heldBack === 0) return undefined;
  const known = masksOf.get(guarded) ?? new WeakMap<readonly string[], Mask>();
  masksOf.set(guarded, known);
  const mask = known.get(ids) ?? newMask(guarded.scope, ids);
  known.set(ids, mask);
  return mask;
}

function newMask({ allowed }: Scope, ids: readonly string[]): Mask {
  const bytes = new Uint8Array(new SharedArrayBuffer(ids.length));
  for (const [index, itemId] of ids.entries()) bytes[index] = allowed(itemId) ? 1 : 0;
  masks += 1;
  return { number: masks, allowed: bytes };
}

/** Why slates are shorter for it, for whoever asks why one is. */
export function whyHeldBack({ heldBack, silent }: Guarded): string | undefined {
  if (heldBack === 0) return undefined;
  const silence = silent.map((source) => `${source} has not judged anything lately`);
  return [`guardrails hold back ${heldBack} items`, ...silence].join('; ');
}
