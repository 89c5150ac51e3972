/** Colours for Python: enough to read a program by, in one pass. */

import { h } from "./dom.js";

const KEYWORDS = new Set(
  (
    "and as assert async await break class continue def del elif else except finally for from global if import in is " +
    "lambda match nonlocal not or pass raise return try while with yield False None True"
  ).split(" "),
);
const TOKEN = new RegExp(
  [
    /(?<comment>#[^\n]*)/,
    /(?<string>\b[rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))/,
    /(?<string2>"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)/,
    /(?<number>\b(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*(?:\.[\d_]*)?(?:[eE][-+]?\d+)?j?)\b)/,
    /(?<word>[\p{L}_][\p{L}\p{N}_]*)/,
  ]
    .map((one) => one.source)
    .join("|"),
  "gu",
);

/** `code` as nodes. */
export function highlighted(code) {
  const nodes = [];
  let from = 0;
  let before = "";
  for (const token of code.matchAll(TOKEN)) {
    const kind = kindOf(token.groups, before, code[token.index + token[0].length]);
    before = token[0];
    if (!kind) continue;
    nodes.push(
      document.createTextNode(code.slice(from, token.index)),
      h("span", { class: `py-${kind}` }, token[0]),
    );
    from = token.index + token[0].length;
  }
  nodes.push(document.createTextNode(code.slice(from)));
  return nodes;
}

function kindOf({ comment, string, string2, number, word }, before, next) {
  if (comment) return "comment";
  if (string || string2) return "string";
  if (number) return "number";
  if (KEYWORDS.has(word)) return "keyword";
  if (before === "def" || before === "class" || next === "(") return "name";
  return "";
}
