import { type ProblemCode, problems } from '../models/contracts/problem.ts';
import { jsonSchema } from './openapi.ts';
import { routeList } from './routes/table.ts';
import type { RouteInfo } from './routes/route-info.ts';

type Schema = {
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  default?: unknown;
  maximum?: number;
  minimum?: number;
  maxLength?: number;
  maxItems?: number;
  pattern?: string;
};

const style = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --soft: color-mix(in srgb, currentColor 6%, transparent); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin: 2.4rem 0 .4rem; border-top: 1px solid var(--line); padding-top: 1.2rem }
code, pre { font: .875rem/1.5 ui-monospace, monospace } pre { background: var(--soft); padding: .8rem 1rem; overflow-x: auto; border-radius: 6px }
.method { display: inline-block; min-width: 3.2rem; font-weight: 600 } .tag { font-size: .8rem; border: 1px solid var(--line); border-radius: 999px; padding: .05rem .55rem; margin-left: .5rem; font-weight: 400 }
table { border-collapse: collapse; width: 100%; font-size: .92rem } td, th { text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0 }
nav a { margin-right: 1rem } .wide { overflow-x: auto }`;

/** The interface as one page that needs nothing from elsewhere. */
export function docsPage({ url }: { url: string }): string {
  const codes = [...new Set(routeList.flatMap((route) => route.problems))] as ProblemCode[];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Understudy serving</title><style>${style}</style></head>
<body><h1>Understudy serving</h1>
<p>Slates for visitors, and the events they answer with. The same as a document for tools: <a href="/openapi.json">openapi.json</a>.</p>
<nav>${routeList.map((route) => `<a href="#${anchor(route)}">${escapeHtml(route.path)}</a>`).join(' ')}</nav>
${routeList.map((route) => section(route, url)).join('\n')}
<h2 id="problems">Problems</h2>
<p>Errors are <code>application/problem+json</code> (RFC 9457) with a code, what to do, and the id of the request.</p>
<div class="wide"><table><tr><th>Status</th><th>Code</th><th>What</th><th>What to do</th></tr>
${codes.map((code) => `<tr><td>${problems[code].status}</td><td><code>${code}</code></td><td>${escapeHtml(problems[code].title)}</td><td>${escapeHtml(problems[code].remedy)}</td></tr>`).join('\n')}
</table></div></body></html>
`;
}

function section(route: RouteInfo, url: string): string {
  const access = {
    open: '',
    report: '<span class="tag">key, or one for reports alone, where the tier has keys</span>',
    key: '<span class="tag">key, where the tier has keys</span>',
    admin: '<span class="tag">admin key</span>',
  }[route.access];
  const fields = route.body === undefined ? '' : table('Body', jsonSchema(route.body.schema) as Schema);
  const entry = route.entry === undefined ? '' : alternatives(route.entry.name, jsonSchema(route.entry.schema) as Schema);
  const answer = route.answer.schema === undefined ? '' : table('Answer', jsonSchema(route.answer.schema, 'output') as Schema);
  return `<h2 id="${anchor(route)}"><span class="method">${route.method.toUpperCase()}</span> <code>${escapeHtml(route.path)}</code>${access}</h2>
<p><strong>${escapeHtml(route.summary)}</strong></p>${route.description === '' ? '' : `<p>${prose(route.description)}</p>`}
<pre>${escapeHtml(example(route, url))}</pre>${fields}${entry}${answer}`;
}

function example({ method, path, body }: RouteInfo, url: string): string {
  const address = `${url}${path.replace(':surface', 'home').replace(':name/:version', 'click/2')}`;
  return method === 'get' || body === undefined
    ? `curl -s ${address}`
    : `curl -s ${address} -H 'content-type: application/json' \\\n  -d '${JSON.stringify(body.example)}'`;
}

/** Of several schemas each is a row: what tells it from the others, what it must have, and what it may have besides. */
function alternatives(title: string, { anyOf = [] }: Schema): string {
  const rows = anyOf.map(({ properties = {}, required = [] }) => {
    const { kind, schemaVersion, ...members } = properties;
    const names = (some: readonly string[]) => some.map((name) => `<code>${escapeHtml(name)}</code>`).join(', ');
    const must = Object.keys(members).filter((name) => required.includes(name));
    const may = Object.keys(members).filter((name) => !required.includes(name));
    const what = `${kind === undefined ? '' : typeText(kind)}${schemaVersion === undefined ? '' : `, version ${typeText(schemaVersion)}`}`;
    return `<tr><td>${escapeHtml(what)}</td><td>${names(must)}</td><td>${names(may)}</td></tr>`;
  });
  return `<div class="wide"><table><tr><th>${escapeHtml(title)}</th><th>Must have</th><th>May have</th></tr>${rows.join('')}</table></div>`;
}

function table(title: string, schema: Schema): string {
  const rows = fieldRows(schema, '');
  return `<div class="wide"><table><tr><th>${escapeHtml(title)}</th><th>Type</th><th></th></tr>${rows.map(([name, type, note]) => `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(type)}</td><td>${escapeHtml(note)}</td></tr>`).join('')}</table></div>`;
}

function fieldRows(schema: Schema, prefix: string): [string, string, string][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const required = schema.required?.includes(name) && field.default === undefined;
    const inner =
      field.properties !== undefined
        ? fieldRows(field, `${prefix}${name}.`)
        : field.items?.properties !== undefined
          ? fieldRows(field.items, `${prefix}${name}[].`)
          : [];
    return [
      [`${prefix}${name}`, typeText(field), [required ? 'required' : '', limits(field)].filter((part) => part !== '').join(', ')] as [string, string, string],
      ...inner,
    ];
  });
}

function typeText(field: Schema): string {
  if (field.anyOf !== undefined) return field.anyOf.map(typeText).join(' or ');
  if (field.enum !== undefined) return field.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (field.const !== undefined) return JSON.stringify(field.const);
  if (Array.isArray(field.type)) return field.type.join(' or ');
  return field.type === 'array' ? `list of ${field.items === undefined ? 'anything' : typeText(field.items)}` : (field.type ?? 'anything');
}

function limits({ default: preset, minimum, maximum, maxLength, maxItems }: Schema): string {
  const parts = [];
  if (preset !== undefined && (typeof preset !== 'object' || preset === null)) parts.push(`default ${JSON.stringify(preset)}`);
  if (minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER) parts.push(`at least ${minimum}`);
  if (maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER) parts.push(`at most ${maximum}`);
  if (maxLength !== undefined) parts.push(`up to ${maxLength} characters`);
  if (maxItems !== undefined) parts.push(`up to ${maxItems} entries`);
  return parts.join(', ');
}

const anchor = ({ method, path }: RouteInfo) => `${method}${path.replaceAll(/[^a-z0-9]+/g, '-')}`;
const escapeHtml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
/** Text in backquotes is code. */
const prose = (text: string) => escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
