/** A solve that waits for a person: what it asks, and the answers that may be given. */

import { button, field, h } from "./dom.js";

const ASKED = {
  "approve-code": {
    title: "May this program run?",
    text: (one) => one.program,
    yes: "Run it",
    edited: "Run it as edited",
    about: "You may change it first.",
  },
  "review-plan": {
    title: "Is this plan good?",
    text: (one) => one.plan,
    yes: "Follow it",
    edited: "Follow it as edited",
    about: "You may change it first: one line a step.",
  },
  "approve-tool": { title: "May this tool be called?", text: null, yes: "Allow it" },
};

/** The form for `request`; `answer` is called with a Response. */
export function personForm(request, answer) {
  const { title, text, yes, edited, about } = ASKED[request.kind];
  const given = text ? text(request) : "";
  const box =
    text &&
    h("textarea", {
      class: "code-input",
      rows: Math.min(16, given.split("\n").length + 1),
      spellcheck: "false",
    });
  const reason = h("input", { type: "text", placeholder: "shown to the model", maxlength: 2000 });
  const accept = button(
    yes,
    () => {
      const changed = box && box.value.trim() !== given.trim();
      answer(changed ? { kind: "edited", text: box.value } : { kind: "approved" });
    },
    { class: "primary" },
  );
  if (box) {
    box.value = given;
    box.addEventListener(
      "input",
      () => (accept.textContent = box.value.trim() === given.trim() ? yes : edited),
    );
  }
  return h(
    "section",
    { class: "person", "aria-label": title },
    h("h3", {}, title),
    request.kind === "approve-tool" && [
      h("p", {}, h("code", {}, request.tool)),
      h("p", { class: "soft" }, request.description),
    ],
    box && field(request.kind === "approve-code" ? "Program" : "Plan", box, about),
    field("Why not, if you refuse", reason),
    h(
      "div",
      { class: "row" },
      accept,
      button("Refuse", () => answer({ kind: "refused", reason: reason.value })),
    ),
  );
}
