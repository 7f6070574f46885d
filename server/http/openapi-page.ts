/**
 * The OpenAPI document as a page to read: HTML made here, with its style in it and no script. It loads nothing, from
 * nowhere, and its policy says so.
 *
 *   contents │ introduction, then a section an operation: parameters, body, answers, and schemas at the end
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { encodeBase64 } from "./bytes.ts";
import { API_DESCRIPTION, codesByStatus, type Json, jsonSchema } from "./openapi.ts";
import type { Body, Operation, Parameter } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import { statusOf } from "./problem.ts";

const STYLE = `:root{color-scheme:light dark;--line:#8884;--soft:#8881;--link:light-dark(#0b57d0,#8ab4f8)}
*{box-sizing:border-box}
body{margin:0;font:15px/1.5 system-ui,sans-serif;display:grid;grid-template-columns:19rem minmax(0,52rem);gap:2.5rem}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1.5rem 1rem 1.5rem 1.5rem;border-right:1px solid var(--line);font-size:13px}
nav h2{font-size:13px;text-transform:capitalize;margin:1.2rem 0 .3rem}
nav a{display:flex;gap:.5rem;padding:.1rem 0;color:inherit;text-decoration:none}
nav a:hover{text-decoration:underline}
nav b,h3 b{font:600 11px ui-monospace,monospace;min-width:3.2rem;color:var(--link)}
main{padding:1.5rem 1.5rem 6rem 0}
h1{margin:0}
h2.group{margin:3rem 0 0;text-transform:capitalize}
section{border-top:1px solid var(--line);margin-top:1.5rem;padding-top:1rem}
h3{margin:0;font:600 15px ui-monospace,monospace;overflow-wrap:anywhere}
h3 b{font-size:13px;margin-right:.6rem}
h4{margin:1rem 0 .2rem;font-size:13px}
code,pre{font:13px/1.45 ui-monospace,monospace}
pre{background:var(--soft);border-radius:6px;padding:.7rem .9rem;overflow:auto;margin:.4rem 0}
table{border-collapse:collapse;width:100%;font-size:14px}
td{border-top:1px solid var(--line);padding:.3rem .8rem .3rem 0;vertical-align:top;overflow-wrap:anywhere}
td:first-child{width:11rem}
small{opacity:.7}
a{color:var(--link)}
summary{cursor:pointer;padding:.3rem 0}
@media(max-width:60rem){body{display:block}nav{position:static;height:auto;border:0}main{padding:1.5rem}}`;

/** What the page may load: its own style, by its hash, and nothing else. */
const POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  `style-src 'sha256-${encodeBase64(sha256(new TextEncoder().encode(STYLE)))}'`;

export const PAGE_HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy": POLICY,
};

/** The page, for people. @param document for programs */
export function openApiPage(document: Json): string {
  const groups = [...new Set(OPERATIONS.map(({ group }) => group))];
  const schemas = componentsOf(document);
  const sections = groups.map((group) => {
    const operations = OPERATIONS.filter((operation) => operation.group === group);
    return `<h2 class="group">${escape(group)}</h2>${operations.map(section).join("")}`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>halo: HTTP</title><style>${STYLE}</style></head>
<body><nav><a href="#top">halo</a>${groups.map(contents).join("")}
<h2>schemas</h2>${Object.keys(schemas).map((name) => `<a href="#${name}">${name}</a>`).join("")}</nav>
<main id="top"><h1>halo: HTTP</h1>${prose(API_DESCRIPTION)}
<p>For programs: <a href="/openapi.json">/openapi.json</a>, OpenAPI 3.1.</p>
${sections.join("\n")}
<h2 class="group">schemas</h2>${Object.entries(schemas).map(schemaSection).join("")}
</main></body></html>
`;
}

function componentsOf(document: Json): Readonly<Record<string, Json>> {
  return (document["components"] as { readonly schemas: Record<string, Json> }).schemas;
}

function contents(group: string): string {
  const links = OPERATIONS.filter((operation) => operation.group === group).map(({ id, method, path }) => {
    return `<a href="#${id}"><b>${method}</b><span>${escape(path)}</span></a>`;
  });
  return `<h2>${escape(group)}</h2>${links.join("")}`;
}

function section(operation: Operation): string {
  const { id, method, path, summary, description = "", parameters, body } = operation;
  const methods = method === "GET" ? "GET HEAD" : method;
  return `<section id="${id}"><h3><b>${methods}</b>${escape(path)}</h3>
<p>${prose(summary, "")}. <small>${escape(needOf(operation))}</small></p>${prose(description)}
${parameters.length === 0 ? "" : `<h4>Parameters</h4>${table(parameters.map(parameterRow))}`}
${body === null ? "" : bodyOf(body)}
<h4>Answers</h4>${table([...answerRows(operation), ...problemRows(operation)])}</section>`;
}

function needOf({ need }: Operation): string {
  if (need === null) return "Open: needs no token.";
  const where = need.of === "bucket" ? " of the bucket" : "";
  return `Needs the role ${need.role}${where}, where the cluster has a secret.`;
}

function parameterRow({ name, in: place, description, schema, isRequired }: Parameter): [string, string] {
  const kind = kindOf(jsonSchema(schema));
  const need = isRequired && place !== "path" ? ", required" : "";
  return [`<code>${escape(name)}</code> <small>${place}${need}</small>`, `${prose(description, "")} <small>${escape(kind)}</small>`];
}

/** A schema of a parameter in a few words. */
function kindOf(schema: Json): string {
  const { anyOf, enum: words, const: word, minimum, maximum, pattern } = schema;
  if (Array.isArray(anyOf)) return anyOf.map((one: Json) => kindOf(one)).join("; ");
  if (Array.isArray(words)) return words.join(", ");
  if (word !== undefined) return String(word);
  if (minimum !== undefined) return `${String(minimum)} to ${String(maximum)}`;
  return typeof pattern === "string" ? pattern : "";
}

function bodyOf({ type, schema, example, description = "" }: Body): string {
  const text = typeof example === "string" ? example : JSON.stringify(example, null, 2);
  return `<h4>Body</h4><code>${escape(type)}</code> ${prose(description, "")}
${text === "" ? "" : `<pre>${escape(text)}</pre>`}${schema === null ? "" : schemaText(jsonSchema(schema))}`;
}

function answerRows({ answers }: Operation): [string, string][] {
  return Object.entries(answers).map(([status, { description, content = {}, headers = [], mayHave = [] }]) => {
    const types = Object.entries(content).map(([type, schema]) => {
      return `<br><code>${escape(type)}</code> ${schema === null ? "" : schemaText(jsonSchema(schema))}`;
    });
    const names = [...headers, ...mayHave].join(", ");
    return [`<code>${status}</code>`, `${prose(description, "")}${names === "" ? "" : ` <small>${escape(names)}</small>`}${types.join("")}`];
  });
}

function problemRows(operation: Operation): [string, string][] {
  return codesByStatus(operation).map((codes) => [
    `<code>${statusOf(codes[0])}</code>`,
    codes.map((code) => `<code>${code}</code>`).join(" "),
  ]);
}

/** A link where the schema has a name, else itself, folded up. */
function schemaText(schema: Json): string {
  const { $ref } = schema;
  if (typeof $ref === "string") {
    const name = $ref.slice($ref.lastIndexOf("/") + 1);
    return `<a href="#${name}">${name}</a>`;
  }
  return Object.keys(schema).length < 2 ? "" : `<details><summary>Schema</summary>${code(schema)}</details>`;
}

function schemaSection([name, schema]: [string, Json]): string {
  return `<section id="${name}"><h3>${name}</h3>${code(schema)}</section>`;
}

function code(schema: Json): string {
  return `<pre>${escape(JSON.stringify(schema, null, 2))}</pre>`;
}

function table(rows: readonly (readonly [string, string])[]): string {
  return `<table>${rows.map(([left, right]) => `<tr><td>${left}</td><td>${right}</td></tr>`).join("")}</table>`;
}

/** Text with paragraphs and words in backticks. @param tag around each paragraph; "": around none */
function prose(text: string, tag = "p"): string {
  const html = escape(text).replace(/`([^`]+)`/g, "<code>$1</code>");
  if (tag === "" || html === "") return html;
  return html.split("\n\n").map((paragraph) => `<${tag}>${paragraph}</${tag}>`).join("\n");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
