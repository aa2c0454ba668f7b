import type { TrainHooks } from '../algorithm.ts';
import { giveWay, packCheckpoint, unpackCheckpoint } from '../checkpoint.ts';

/** Of the whole, so that the parts of long phases are whole numbers too. */
const total = 1_000_000;
const bytesPerWord = 4;

type Phase = { name: string /** Of the whole time, about. */; share: number };

/**
 * Several trainings, one after the other, as one. A checkpoint holds the last ones of those that ended, from which they give their results again without a
 * step, and that of the one under way.
 */
export class Phases {
  readonly #phases: readonly Phase[];
  readonly #hooks: TrainHooks;
  readonly #fingerprint: string;
  /** By phase; empty where there is nothing to go on from. */
  readonly #resumed: readonly Uint8Array[];
  readonly #ended: Uint8Array[] = [];

  /** @throws UND-DIGEST or UND-INPUT where the hooks' checkpoint is damaged, or another training's */
  constructor({ phases, fingerprint, hooks }: { phases: readonly Phase[]; fingerprint: string; hooks: TrainHooks }) {
    this.#phases = phases;
    this.#fingerprint = fingerprint;
    this.#hooks = hooks;
    const arrays = hooks.resumeFrom === undefined ? {} : unpackCheckpoint(hooks.resumeFrom, fingerprint).arrays;
    this.#resumed = Object.values(arrays).map((words) => bytesOf(words as Uint32Array));
  }

  /** Runs the next phase. */
  async run<T>(train: (hooks: TrainHooks) => Promise<T>): Promise<T> {
    const resumeFrom = this.#resumed[this.#ended.length];
    let last = (): Uint8Array => resumeFrom ?? new Uint8Array(0);
    const found = await train({
      ...this.#hooks,
      resumeFrom: resumeFrom?.length === 0 ? undefined : resumeFrom,
      onStep: async ({ checkpoint, ...step }) => {
        // What ends at its total may change its arrays behind the last step. What ends before has nothing more to do than go back to its best.
        const packed = step.done === step.total ? checkpoint() : undefined;
        last = () => packed ?? checkpoint();
        await this.#say(step, last);
      },
    });
    this.#ended.push(last());
    return found;
  }

  /** Work that begins anew where it was interrupted, as a phase of its own. */
  async prepare(count: number, work: (place: number) => void): Promise<void> {
    for (let place = 0; place < count; place += 1) {
      work(place);
      if ((place + 1) % preparedPerStep !== 0 && place + 1 !== count) continue;
      await giveWay();
      await this.#say({ done: place + 1, total: count, note: `${place + 1} of ${count}` }, () => new Uint8Array(0));
    }
    this.#ended.push(new Uint8Array(0));
  }

  async #say(step: { done: number; total: number; note: string; figures?: Readonly<Record<string, number>> }, checkpoint: () => Uint8Array): Promise<void> {
    const place = this.#ended.length;
    const shares = this.#phases.map(({ share }) => share);
    const sum = (of: readonly number[]): number => of.reduce((all, share) => all + share, 0);
    const done = Math.floor((total * (sum(shares.slice(0, place)) + ((shares[place] as number) * step.done) / step.total)) / sum(shares));
    const pack = (): Uint8Array => {
      const arrays = Object.fromEntries([...this.#ended, checkpoint()].map((bytes, phase) => [`phase ${phase}`, wordsOf(bytes)]));
      return packCheckpoint({ fingerprint: this.#fingerprint, done, arrays });
    };
    await this.#hooks.onStep?.({ ...step, done, total, note: `${this.#phases[place]?.name}: ${step.note}`, checkpoint: pack });
  }
}

const preparedPerStep = 256;

/** Checkpoints hold arrays of numbers: the length of the bytes stands before them. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  const words = new Uint32Array(1 + Math.ceil(bytes.length / bytesPerWord));
  words[0] = bytes.length;
  new Uint8Array(words.buffer, bytesPerWord).set(bytes);
  return words;
}

const bytesOf = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset + bytesPerWord, words[0]);
