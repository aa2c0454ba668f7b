/*
 * What is told of a model or of a slate, section by section: a page for people who have a browser, text for those who have a terminal.
 */

/** `facts`: a name and what it is, each a line. `svg`: a picture of ours. */
export type Section = {
  title: string;
  note?: string;
  facts?: readonly (readonly [string, string])[];
  table?: { head: readonly string[]; rows: readonly (readonly string[])[] };
  svg?: string;
};
export type Page = { title: string; lead: string; sections: readonly Section[] };

const escaped: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const html = (text: string): string => text.replace(/[&<>"']/g, (one) => escaped[one] ?? one);

const style = `
:root { color-scheme: light dark; --line: light-dark(#d8dce2, #3a3f47); --dim: light-dark(#59616d, #a3abb8); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
p { margin: .5rem 0; } p.note, dt, th { color: var(--dim); }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .15rem 1rem; margin: .5rem 0; } dd { margin: 0; overflow-wrap: anywhere; }
div.wide { overflow-x: auto; } table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; } th { font-weight: 500; }
svg { max-width: 100%; height: auto; background: #fff; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
`;

/** A page that stands by itself: no script, nothing that is fetched. */
export function htmlOf({ title, lead, sections }: Page): string {
  const head = [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${html(title)}</title>`,
    `<style>${style}</style>`,
  ];
  const body = [`<h1>${html(title)}</h1>`, `<p>${html(lead)}</p>`, ...sections.map(sectionHtml)];
  return `<!doctype html>\n<html lang="en">\n<head>\n${head.join('\n')}\n</head>\n<body>\n${body.join('\n')}\n</body>\n</html>\n`;
}

function sectionHtml({ title, note, facts = [], table, svg }: Section): string {
  const cells = (kind: 'th' | 'td', row: readonly string[]) => `<tr>${row.map((cell) => `<${kind}>${html(cell)}</${kind}>`).join('')}</tr>`;
  return [
    `<section>\n<h2>${html(title)}</h2>`,
    ...(note === undefined ? [] : [`<p class="note">${html(note)}</p>`]),
    ...(facts.length === 0 ? [] : [`<dl>${facts.map(([name, what]) => `<dt>${html(name)}</dt><dd>${html(what)}</dd>`).join('\n')}</dl>`]),
    ...(table === undefined
      ? []
      : [
          `<div class="wide"><table>\n<thead>${cells('th', table.head)}</thead>\n<tbody>${table.rows.map((row) => cells('td', row)).join('\n')}</tbody>\n</table></div>`,
        ]),
    ...(svg === undefined ? [] : [svg]),
    '</section>',
  ].join('\n');
}

/** @param tableOf how a table is written */
export function textOf({ title, lead, sections }: Page, tableOf: (head: string[], rows: string[][]) => string): string {
  const parts = sections.map(({ title: of, note, facts = [], table }) => {
    const width = Math.max(0, ...facts.map(([name]) => name.length));
    return [
      of.toUpperCase(),
      ...(note === undefined ? [] : [note]),
      ...facts.map(([name, what]) => `${name.padEnd(width)}  ${what}`),
      ...(table === undefined
        ? []
        : [
            tableOf(
              [...table.head],
              table.rows.map((row) => [...row]),
            ),
          ]),
    ].join('\n');
  });
  return [title, lead, ...parts.map((part) => `\n${part}`)].join('\n');
}
