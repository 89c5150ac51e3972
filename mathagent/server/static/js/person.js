/** A solve that waits for a person: what it asks, and the answers that may be given. */

import { button, field, freshId, h } from "./dom.js";

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
  "approve-tool": { title: "May this tool be called so?", text: null, yes: "Allow it" },
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
  const isTool = request.kind === "approve-tool";
  return h(
    "section",
    { class: "person", "aria-label": title },
    h("h3", {}, title),
    isTool && toolPart(request),
    box && field(request.kind === "approve-code" ? "Program" : "Plan", box, about),
    field("Why not, if you refuse", reason),
    h(
      "div",
      { class: "row" },
      accept,
      isTool && button("Always for this solve", () => answer({ kind: "approved", always: true })),
      button("Refuse", () => answer({ kind: "refused", reason: reason.value })),
    ),
  );
}

/** The tool, what it says of itself, and what it would be called with. */
function toolPart({ tool, description, arguments: given }) {
  const id = freshId("arguments");
  return [
    h("p", {}, h("code", {}, tool)),
    h("p", { class: "soft" }, description),
    h("p", { class: "as-label", id }, "It would be called with"),
    h("pre", { class: "tool-arguments", "aria-labelledby": id, tabindex: "0" }, indented(given)),
  ];
}

const JSON_PARTS = /"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]|\s+/g;

/** JSON with a line for each of its parts, which stay as they were sent: nobody may allow a number that was rounded, or
 *  miss a name that stands twice. What is no JSON stays as it is. */
function indented(given) {
  if (!given) return "nothing";
  try {
    JSON.parse(given);
  } catch {
    return given;
  }
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  return given.trim().replace(JSON_PARTS, (part) => {
    if (part[0] === '"') return part;
    if (!part.trim()) return "";
    if (part.length > 1) return part[0] + part.at(-1); // {} or []
    if ("{[".includes(part)) {
      depth += 1;
      return part + line();
    }
    if ("}]".includes(part)) {
      depth -= 1;
      return line() + part;
    }
    return part === "," ? part + line() : ": ";
  });
}
