/**
 * What several installs are doing, side by side: one live line on a terminal, a plain line at each change otherwise and every 15 s.
 * All of it on stderr. Nothing is written before the first task begins, so that a start that has nothing to do is silent.
 *
 * @typedef {{ note: (text: string) => void, done: (text: string) => void, failed: (text: string) => void }} Task
 */
export class Progress {
  /** @param {{ stream?: NodeJS.WriteStream, nowMs?: () => number }} [options] */
  constructor({ stream = process.stderr, nowMs = () => performance.now() } = {}) {
    this.stream = stream;
    this.nowMs = nowMs;
    this.startedMs = nowMs();
    this.saidMs = this.startedMs;
    /** @type {Map<string, string>} */
    this.tasks = new Map();
    /** @type {NodeJS.Timeout | undefined} */
    this.timer = undefined;
  }

  /** @param {string} name @param {string} text @returns {Task} */
  begin(name, text) {
    this.timer ??= setInterval(() => this.tick(), this.stream.isTTY ? 250 : 1_000);
    this.timer.unref();
    let state = '';
    const note = (/** @type {string} */ words) => {
      this.tasks.set(name, words);
      // Details change often; only what changes in kind is worth a plain line.
      const kind = words.split(':')[0] ?? '';
      if (!this.stream.isTTY && kind !== state) this.say(`${name}: ${words}`);
      state = kind;
    };
    const end = (/** @type {string} */ words) => {
      this.tasks.delete(name);
      this.say(`${name}: ${words}`);
    };
    note(text);
    return { note, done: end, failed: end };
  }

  /** @param {string} line */
  say(line) {
    this.clear();
    this.stream.write(`[${this.elapsed()}] ${line}\n`);
    this.saidMs = this.nowMs();
  }

  tick() {
    if (this.tasks.size === 0) return;
    const line = [...this.tasks].map(([name, text]) => `${name}: ${text}`).join(' | ');
    if (this.stream.isTTY) {
      this.clear();
      this.stream.write(`[${this.elapsed()}] ${line}`.slice(0, (this.stream.columns ?? 100) - 1));
    } else if (this.nowMs() - this.saidMs >= 15_000) {
      this.say(`still going: ${line}`);
    }
  }

  stop() {
    clearInterval(this.timer);
    this.timer = undefined;
    this.clear();
  }

  clear() {
    if (this.stream.isTTY && this.timer !== undefined) this.stream.write('\r\u001b[2K');
  }

  elapsed() {
    return `${String(Math.round((this.nowMs() - this.startedMs) / 1000)).padStart(3)} s`;
  }
}
