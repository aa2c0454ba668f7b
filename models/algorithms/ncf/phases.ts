import type { TrainHooks, TrainStep } from '../algorithm.ts';
import { giveWay, packCheckpoint, unpackCheckpoint } from '../checkpoint.ts';

/** Of the whole, so that the parts of long phases are whole numbers too. */
const total = 1_000_000;
const bytesPerWord = 4;

/** Name → share of the whole time, about; in their order. */
type Shares = Readonly<Record<string, number>>;

/**
 * Several trainings, one after the other, as one. A checkpoint holds the last ones of those that ended, from which they give their results again without a
 * step, and that of the one under way.
 */
export class Phases {
  readonly #shares: Shares;
  readonly #hooks: TrainHooks;
  readonly #fingerprint: string;
  /** By phase; empty where there is nothing to go on from. */
  readonly #resumed: readonly Uint8Array[];
  readonly #ended: Uint8Array[] = [];

  /** @throws UND-DIGEST or UND-INPUT where the hooks' checkpoint is damaged, or another training's */
  constructor({ shares, fingerprint, hooks }: { shares: Shares; fingerprint: string; hooks: TrainHooks }) {
    this.#shares = shares;
    this.#fingerprint = fingerprint;
    this.#hooks = hooks;
    const arrays = hooks.resumeFrom === undefined ? {} : unpackCheckpoint(hooks.resumeFrom, fingerprint).arrays;
    this.#resumed = Object.values(arrays).map((words) => bytesOf(words as Uint32Array));
  }

  /** Runs the next phase; some may be left out. */
  async run<T>(name: string, train: (hooks: TrainHooks) => Promise<T>): Promise<T> {
    const resumeFrom = this.#resumed[this.#ended.length];
    let last: TrainStep['checkpoint'] = () => resumeFrom ?? new Uint8Array(0);
    const found = await train({
      ...this.#hooks,
      resumeFrom: resumeFrom?.length === 0 ? undefined : resumeFrom,
      onStep: async ({ checkpoint, ...step }) => {
        // What ends at its total may change its arrays behind the last step. What ends before has nothing more to do than go back to its best.
        const packed = step.done === step.total ? await checkpoint() : undefined;
        last = () => packed ?? checkpoint();
        await this.#say(name, step, last);
      },
    });
    this.#ended.push(await last());
    return found;
  }

  /** Work in pieces, which begins anew where it was interrupted, as a phase of its own. */
  async prepare(name: string, count: number, work: (place: number) => void): Promise<void> {
    for (let place = 0; place < count; place += 1) {
      work(place);
      await giveWay();
      await this.#say(name, { done: place + 1, total: count, note: `${Math.round((100 * (place + 1)) / count)} %` }, () => new Uint8Array(0));
    }
    this.#ended.push(new Uint8Array(0));
  }

  async #say(name: string, step: Omit<TrainStep, 'checkpoint'>, checkpoint: TrainStep['checkpoint']): Promise<void> {
    const shares = Object.values(this.#shares);
    const before = shares.slice(0, Object.keys(this.#shares).indexOf(name));
    const sum = (of: readonly number[]): number => of.reduce((all, share) => all + share, 0);
    const done = Math.floor((total * (sum(before) + ((this.#shares[name] as number) * step.done) / step.total)) / sum(shares));
    const pack = async (): Promise<Uint8Array> => {
      const arrays = Object.fromEntries([...this.#ended, await checkpoint()].map((bytes, phase) => [`phase ${phase}`, wordsOf(bytes)]));
      return packCheckpoint({ fingerprint: this.#fingerprint, done, arrays });
    };
    await this.#hooks.onStep?.({ ...step, done, total, note: `${name}: ${step.note}`, checkpoint: pack });
  }
}

/** Checkpoints hold arrays of numbers: the length of the bytes stands before them. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  const words = new Uint32Array(1 + Math.ceil(bytes.length / bytesPerWord));
  words[0] = bytes.length;
  new Uint8Array(words.buffer, bytesPerWord).set(bytes);
  return words;
}

const bytesOf = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset + bytesPerWord, words[0]);
