/** The list of past solves. */

import { ApiFailure, call } from "./api.js";
import { button, h } from "./dom.js";
import { answerNode, withFormulas } from "./math.js";
import { pill } from "./parts.js";
import { clipped, when } from "./words.js";

const PAGE = 20;
const SHOWN = 220; // characters of a problem
export const STATUS = {
  running: ["runs", "unsure"],
  finished: ["", ""],
  resumable: ["can go on", "unsure"],
  failed: ["failed", "bad"],
  cancelled: ["broken off", "bad"],
};

/** {element, open()}. */
export function pastView() {
  const list = h("ul", { class: "past" });
  const told = h("p", { role: "status" });
  const more = button("Show more", () => load(), { hidden: true });
  let before = null;

  async function load() {
    more.disabled = true;
    try {
      const page = await call("GET", "solutions", { query: { limit: PAGE, before } });
      list.append(...page.data.map(entry));
      before = page.before;
      more.hidden = before === null;
      told.textContent = list.children.length
        ? ""
        : "Nothing was solved yet. What is asked on this server with your key will stand here.";
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      told.textContent = error.message;
    } finally {
      more.disabled = false;
    }
  }

  return {
    element: h(
      "div",
      { class: "view" },
      h("h1", { tabindex: "-1" }, "Past solves"),
      told,
      list,
      h("div", { class: "row" }, more),
    ),
    runs: () => [],
    open: () => {
      before = null;
      list.replaceChildren();
      told.textContent = "Loading…";
      return load();
    },
  };
}

function entry(one) {
  const [words, tone] = STATUS[one.status];
  return h(
    "li",
    {},
    h(
      "a",
      { class: "past-problem", href: `#/past/${encodeURIComponent(one.id)}` },
      withFormulas(clipped(one.problem, SHOWN)),
    ),
    h(
      "p",
      { class: "past-facts" },
      one.answer !== null && h("strong", {}, answerNode(clipped(one.answer, 80))),
      words && pill(words, tone),
      h("span", { class: "soft" }, `${one.strategy} · ${one.model} · ${when(one.created)}`),
    ),
  );
}
