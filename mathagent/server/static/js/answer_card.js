/** What a solve came to: the answer, how sure it is, and the evidence. */

import { h } from "./dom.js";
import { evidence, supported } from "./evidence.js";
import { answerNode } from "./math.js";
import { fact, pill } from "./parts.js";
import { sentence } from "./words.js";

const STOPPED = {
  budget: "A limit ended the search; this is the best so far.",
  interrupted: "It was stopped; this is the best so far.",
  error: "An error ended it.",
};

/** The card of `solution`. */
export function answerCard(solution) {
  const none = solution.answer === null;
  const tone = none
    ? "none"
    : solution.abstained || solution.stopped !== "finished"
      ? "partial"
      : supported(solution)
        ? "supported"
        : "finished";
  return h(
    "section",
    { class: `answer ${tone}`, "aria-label": "Answer" },
    h("p", { class: "label" }, solution.abstained ? "Best candidate, less sure than you asked for" : "Answer"),
    h(
      "div",
      { class: "answer-value", tabindex: none ? null : "0" },
      none ? h("span", { class: "soft" }, "No answer was found") : answerNode(solution.answer),
    ),
    confidence(solution),
    STOPPED[solution.stopped] &&
      h(
        "p",
        { class: "note" },
        STOPPED[solution.stopped],
        solution.detail ? ` ${sentence(solution.detail)}` : "",
      ),
    h(
      "dl",
      { class: "facts" },
      fact("strategy", h("code", {}, solution.strategy)),
      fact("model", h("code", {}, solution.model)),
      solution.trials.length > 1 && fact("tried", trials(solution.trials)),
    ),
    !none && evidence(solution),
  );
}

function confidence({ answer, confidence: value, confidence_basis: basis }) {
  if (answer === null || value === null) return null;
  const percent = `${Math.round(value * 100)} %`;
  return h(
    "div",
    { class: "confidence" },
    h("progress", { max: 1, value, "aria-label": "Confidence" }),
    h("span", {}, h("strong", {}, percent), " sure"),
    basis && h("span", { class: "soft" }, basis),
  );
}

function trials(all) {
  return all.map((one) => [
    pill(`${one.strategy}: ${one.answer ?? "no answer"}`, one.accepted ? "good" : ""),
    " ",
  ]);
}
