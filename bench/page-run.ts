/** What every writer of a page is told. `check`: it says what comes out otherwise than is written, and writes nothing; `quick`: a part, which is not written either. */
export type PageRun = { machine: string; check: boolean; quick: boolean; only: readonly string[]; say: (line: string) => void };
