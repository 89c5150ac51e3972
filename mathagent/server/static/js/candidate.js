/** A candidate as it is stored in a solution: its steps, its checks, and what it came to. */

import { h } from "./dom.js";
import { answerNode } from "./math.js";
import { checkPart, codePart, outputPart, pill, replyPart } from "./parts.js";

/** The card of candidate number `index`. */
export function candidateCard(candidate, index, { open = false } = {}) {
  const { answer, failure, steps, checks } = candidate;
  const said = answer
    ? h("span", { class: "card-answer" }, answerNode(answer.raw))
    : h("span", { class: "state" }, pill(failure.kind, "unsure"));
  return h(
    "details",
    { class: "card", open },
    h("summary", {}, h("span", { class: "card-name" }, `Candidate ${index + 1}`), said),
    h(
      "div",
      { class: "card-body" },
      failure && h("p", { class: "soft" }, failure.message),
      steps.map(stepPart),
      checks.map((one) => checkPart(one)),
    ),
  );
}

function stepPart({ kind, text, origin, execution }) {
  const part =
    kind === "code"
      ? codePart(text)
      : kind === "observation" && execution
        ? h("div")
        : replyPart(text, { role: kind === "thought" ? "" : kind });
  if (origin === "user") part.prepend(h("p", { class: "label" }, "From a person"));
  if (execution) part.append(outputPart(execution));
  return part;
}
