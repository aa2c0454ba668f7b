import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { UnderstudyError } from '../models/contracts/problem.ts';

export type Asker = {
  /** @throws UND-INPUT when the input ends instead */
  ask(prompt: string): Promise<string>;
  close(): void;
};

/** Asks a person on the terminal, line by line. Lines that come before they are asked for are kept. */
export function openAsker({ input = process.stdin, output = process.stderr }: { input?: Readable; output?: Writable } = {}): Asker {
  const reader = createInterface({ input, output });
  const early: string[] = [];
  let waiting: { resolve: (line: string) => void; reject: (error: Error) => void } | undefined;
  let ended = false;
  const cutOff = () => new UnderstudyError('UND-INPUT', 'The input ended before all was answered; --yes asks nothing');
  reader.on('line', (line) => {
    if (waiting === undefined) return void early.push(line);
    waiting.resolve(line);
    waiting = undefined;
  });
  reader.on('close', () => {
    ended = true;
    waiting?.reject(cutOff());
  });
  // While it asks, the terminal hands Ctrl-C over as a key: it means what it always means.
  reader.on('SIGINT', () => void process.kill(process.pid, 'SIGINT'));
  return {
    ask(prompt) {
      const line = early.shift();
      if (line === undefined && ended) return Promise.reject(cutOff());
      reader.setPrompt(prompt);
      reader.prompt();
      if (line !== undefined) return Promise.resolve(line);
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
      });
    },
    close: () => reader.close(),
  };
}
