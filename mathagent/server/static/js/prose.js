/** What models write: paragraphs, lists, headings, code and formulas. A small part of Markdown, no HTML. */

import { codeBox } from "./code.js";
import { h } from "./dom.js";
import { formula, segments } from "./math.js";

const FENCE = /^[ \t]*(```+|~~~+)[ \t]*([\w+-]*)[^\n]*\n([\s\S]*?)(?:^[ \t]*\1[ \t]*$|(?![\s\S]))/m;
const ITEM = /^\s*(?:[-*•]|(\d{1,3})[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*?)#*$/;
const INLINE = /(`+)([^`](?:.*?[^`])?)\1(?!`)|\*\*|__/g;

/** `text` as nodes. */
export function prose(text) {
  const nodes = [];
  let rest = text;
  for (let fence = FENCE.exec(rest); fence; fence = FENCE.exec(rest)) {
    nodes.push(...blocks(rest.slice(0, fence.index)));
    nodes.push(codeBox(fence[3].replace(/\n$/, ""), { language: fence[2].toLowerCase(), fence: true }));
    rest = rest.slice(fence.index + fence[0].length);
  }
  return [...nodes, ...blocks(rest)];
}

/** Text between fences. A displayed formula may hold empty lines, and lines that look like items: it comes first. */
function blocks(text) {
  const nodes = [];
  let words = "";
  for (const one of segments(text)) {
    if (one.display && one.source.includes("\n")) {
      nodes.push(...paragraphs(words), h("p", {}, formula(one)));
      words = "";
    } else {
      words += one.source ?? one.text.replaceAll("$", "\\$");
    }
  }
  return [...nodes, ...paragraphs(words)];
}

function paragraphs(text) {
  const nodes = [];
  for (const block of text.split(/\n\s*\n/)) {
    let lines = [];
    let list = null;
    const flush = () => {
      if (lines.length) nodes.push(h("p", {}, inline(lines.join("\n"))));
      lines = [];
    };
    for (const line of block.split("\n")) {
      const item = ITEM.exec(line);
      const heading = HEADING.exec(line);
      if (item) {
        flush();
        if (!list) nodes.push((list = item[1] ? h("ol", { start: item[1] }) : h("ul")));
        list.append(h("li", {}, inline(item[2])));
      } else if (heading) {
        flush();
        list = null;
        nodes.push(h("p", { class: "heading" }, inline(heading[1])));
      } else if (list && /^\s+\S/.test(line)) {
        list.lastElementChild.append(" ", ...inline(line.trim()));
      } else if (line.trim()) {
        list = null;
        lines.push(line);
      }
    }
    flush();
  }
  return nodes;
}

/** One run of text: formulas first, since what looks like emphasis within them is none. */
function inline(text) {
  const top = [];
  let strong = null;
  const put = (node) => (strong ? strong.append(node) : top.push(node));
  for (const one of segments(text)) {
    if (one.tex !== undefined) {
      put(formula(one));
      continue;
    }
    let from = 0;
    for (const mark of one.text.matchAll(INLINE)) {
      put(document.createTextNode(one.text.slice(from, mark.index)));
      from = mark.index + mark[0].length;
      if (mark[2] !== undefined) put(h("code", {}, mark[2]));
      else if (strong) strong = null;
      else top.push((strong = h("strong")));
    }
    put(document.createTextNode(one.text.slice(from)));
  }
  return top;
}
