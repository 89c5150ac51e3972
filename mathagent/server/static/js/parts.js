/** The parts that traces and stored candidates are made of: replies, programs and what came of them, checks. */

import { codeBox } from "./code.js";
import { fold, h } from "./dom.js";
import { withFormulas } from "./math.js";
import { prose } from "./prose.js";
import { seconds } from "./words.js";

const OUTCOMES = { holds: ["✓", "holds"], fails: ["✗", "fails"], undecided: ["?", "undecided"] };
const STATUS = {
  error: "ended with an error",
  timeout: "took too long",
  memory: "took too much memory",
  "output-limit": "wrote too much",
  crashed: "crashed",
  refused: "was not allowed to run",
};
const WEAK = new Set(["execution", "domain", "dimension"]); // as Check.strength
const JUDGED = { correct: "good", incorrect: "bad", unsure: "unsure" };

/** A small word with a colour: good, bad, unsure, or none. */
export function pill(words, tone = "") {
  return h("span", { class: `pill ${tone}` }, words);
}

/** A mark with the word for those who cannot see it. */
export function mark(outcome) {
  const [sign, word] = OUTCOMES[outcome] ?? OUTCOMES.undecided;
  return h(
    "span",
    { class: `mark ${word}` },
    h("span", { "aria-hidden": "true" }, sign),
    h("span", { class: "unseen" }, word),
  );
}

/** A reply's words. `role` is who wrote it; data (a typed reply) stays folded. */
export function replyPart(text, { role = "", typed = false, cached = false } = {}) {
  const label =
    role && role !== "solver" ? h("p", { class: "label" }, role, cached ? " · from the cache" : "") : null;
  const body = typed
    ? fold("Data that it answered with", {}, codeBox(text))
    : h("div", { class: "words" }, prose(text));
  return h("div", { class: "part reply" }, label, body);
}

/** A program, before anything came of it. */
export function codePart(code) {
  return h(
    "div",
    { class: "part code" },
    h("p", { class: "label" }, "Program"),
    codeBox(code, { language: "python", label: "Program" }),
  );
}

/** What running a program gave. */
export function outputPart(execution) {
  const { status, stdout, value, error, traceback, edited } = execution;
  const failed = status !== "ok";
  const time = execution.wall_s > 0 ? ` · ${seconds(execution.wall_s)}` : "";
  const words = failed
    ? (STATUS[status] ?? status)
    : value === null && !stdout.trim()
      ? "ran, and gave nothing"
      : "ran";
  return h(
    "div",
    { class: `part output ${failed ? "failed" : ""}` },
    h("p", { class: "label" }, `The program ${words}${time}`),
    edited !== null &&
      edited !== undefined && [
        h("p", { class: "label" }, "In its place ran"),
        codeBox(edited, { language: "python" }),
      ],
    stdout.trim() && codeBox(stdout.replace(/\n$/, ""), { label: "Output" }),
    value !== null && h("p", { class: "value" }, h("span", { class: "soft" }, "value "), h("code", {}, value)),
    failed && error && h("p", { class: "wrong" }, error),
    failed && traceback && fold("Traceback", {}, codeBox(traceback)),
  );
}

/** Whether it says little that a check holds. */
export function isWeak(check) {
  return WEAK.has(check.kind);
}

/** A check: its outcome and claim, and, opened, the program that anyone can run. */
export function checkPart(check, { open = false } = {}) {
  const kind = pill(isWeak(check) ? `${check.kind}, weak` : check.kind);
  const claim = h("span", { class: "claim" }, withFormulas(check.claim || `gives ${check.expected}`));
  return fold(
    [mark(check.outcome), claim, kind],
    { class: `check ${check.outcome}`, open },
    check.reason && h("p", { class: "soft" }, check.reason),
    codeBox(check.program || "(it has no program)", { language: "python", label: "Program of the check" }),
    h(
      "dl",
      { class: "facts" },
      fact("expected", h("code", {}, check.expected)),
      fact("outcome", OUTCOMES[check.outcome]?.[1]),
      check.seconds > 0 && fact("took", seconds(check.seconds)),
    ),
    check.mutations?.length > 0 && mutationsPart(check.mutations),
  );
}

/** A term and what is said of it. */
export function fact(term, ...words) {
  return [h("dt", {}, term), h("dd", {}, ...words)];
}

/** What all checks of a candidate say together. */
export function judgedPart({ judgement, reason }) {
  return h("p", { class: "part judged" }, pill(judgement, JUDGED[judgement]), " ", withFormulas(reason));
}

/** A score, with those of the steps where they were judged. */
export function scoredPart({ scorer, value, steps, note }) {
  const words = value === null ? "gave no score" : `gave ${value.toFixed(2)}`;
  const each = steps.length
    ? ` (steps: ${steps.map((one) => (one === null ? "–" : one.toFixed(2))).join(", ")})`
    : "";
  return h("p", { class: "part soft" }, `${scorer} ${words}${each}${note ? `: ${note}` : ""}`);
}

function mutationsPart(mutations) {
  const rows = mutations.map((one) => h("li", {}, mark(one.outcome), " ", h("code", {}, one.answer)));
  return h(
    "div",
    {},
    h("p", { class: "label" }, "The same check made of other answers, which should fail"),
    h("ul", { class: "mutations" }, rows),
  );
}
