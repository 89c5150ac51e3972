/** Formulas in texts. KaTeX is given no trust: no links, pictures or classes, and a bound on macros. */

import { h } from "./dom.js";

const LONGEST = 5000; // characters of one formula; a longer one is shown as it is written
const OPTIONS = { throwOnError: true, trust: false, strict: "ignore", maxExpand: 300, maxSize: 30 };
const ENVIRONMENT =
  /\\begin\{(equation|align|gather|multline|aligned|cases|[pbvBV]?matrix|array)(\*?)\}[\s\S]+?\\end\{\1\2\}/y;
const DISPLAY = /\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\]/y;
// As in Pandoc: no space within the signs, and no digit behind, so that "$5 and $6" are amounts of money.
const INLINE = /\\\(([\s\S]+?)\\\)|\$(?!\s)((?:\\.|[^$\\\n]|\n(?!\s*\n))+?)(?<![\s\\])\$(?!\d)/y;
const BOXED = /\\boxed\s*\{/y;

/** Splits `text` into {text} and {tex, display, source}. */
export function segments(text) {
  const found = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const formula = "$\\".includes(text[at]) ? formulaAt(text, at) : null;
    if (formula) {
      if (plain) found.push({ text: plain });
      plain = "";
      found.push(formula);
      at += formula.source.length;
    } else if (text.startsWith("\\$", at)) {
      plain += "$";
      at += 2;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  if (plain) found.push({ text: plain });
  return found;
}

function formulaAt(text, at) {
  const matched = (pattern) => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  const environment = matched(ENVIRONMENT);
  if (environment) return { tex: environment[0], display: true, source: environment[0] };
  const display = matched(DISPLAY);
  if (display) return { tex: display[1] ?? display[2], display: true, source: display[0] };
  const inline = matched(INLINE);
  if (inline) return { tex: inline[1] ?? inline[2], display: false, source: inline[0] };
  const boxed = matched(BOXED);
  const end = boxed ? closing(text, at + boxed[0].length) : 0;
  return end ? { tex: text.slice(at, end), display: false, source: text.slice(at, end) } : null;
}

/** Behind the brace that closes the one before `from`; 0 where none does. */
function closing(text, from) {
  let depth = 1;
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "{") depth += 1;
    else if (text[at] === "}" && --depth === 0) return at + 1;
  }
  return 0;
}

/** The element of a formula; where KaTeX cannot read it, its source. */
export function formula({ tex, display, source }) {
  const element = h("span", { class: display ? "formula wide" : "formula", tabindex: display ? "0" : null });
  try {
    if (tex.length > LONGEST) throw new RangeError("too long");
    globalThis.katex.render(tex, element, { ...OPTIONS, displayMode: display });
    return element;
  } catch {
    return h("code", { class: "tex", title: "This formula cannot be rendered" }, source); // whatever a model wrote
  }
}

/** `text` with its formulas, as nodes in one line. */
export function withFormulas(text) {
  return segments(text).map((one) =>
    one.tex === undefined ? document.createTextNode(one.text) : formula({ ...one, display: false }),
  );
}

/** An answer: mostly a bare formula, without signs around it. */
export function answerNode(answer) {
  const text = answer.trim();
  if (segments(text).some((one) => one.tex !== undefined)) return h("span", {}, withFormulas(text));
  const isTex = /\\[a-zA-Z]|[\^_]/.test(text) && !text.includes("**");
  const isNumeric = /^[-+\d\s.,/()=<>]*$/.test(text) && /\d/.test(text);
  if (!isTex && !isNumeric) return h("span", { class: "plain-answer" }, text);
  const grouped = /^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(",", "{,}") : text;
  return formula({ tex: grouped, display: false, source: text });
}
