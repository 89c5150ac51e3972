/** What the server remembers: listed, searched, one experience whole. */

import { whatThereIs } from "./about.js";
import { ApiFailure, call } from "./api.js";
import { codeBox } from "./code.js";
import { button, freshId, h } from "./dom.js";
import { answerNode, withFormulas } from "./math.js";
import { checkPart, fact, pill } from "./parts.js";
import { prose } from "./prose.js";
import { clipped, when } from "./words.js";

const PAGE = 20;
const KINDS = {
  "": "everything",
  exemplar: "solved problems",
  lesson: "lessons",
  template: "plans",
  fact: "facts",
  statistics: "how strategies fared",
};
const OFF = "This server keeps no memory. It does when it is started with --memory-mode read, or learn.";
const TRUSTED = { person: "good", graded: "good", verified: "good" };

/** {element, open(id or undefined), runs()}. */
export function memoryView() {
  const query = h("input", {
    type: "search",
    id: freshId("query"),
    maxlength: 2000,
    placeholder: "two trains meet",
  });
  const kind = h(
    "select",
    { id: freshId("kind") },
    Object.entries(KINDS).map(([name, words]) => h("option", { value: name }, words)),
  );
  const form = h(
    "form",
    { class: "search", onsubmit: (event) => (event.preventDefault(), begin()) },
    h("div", { class: "field" }, h("label", { for: query.id }, "Search"), query),
    h("div", { class: "field" }, h("label", { for: kind.id }, "Kind"), kind),
    h("button", {}, "Search"),
  );
  const told = h("p", { role: "status" });
  const list = h("ul", { class: "past" });
  const more = button("Show more", () => load(), { hidden: true });
  const all = h("div", {}, form, told, list, h("div", { class: "row" }, more));
  const one = h("div");
  let after = null;
  let turn = 0;
  kind.addEventListener("change", () => begin());

  function begin() {
    after = null;
    list.replaceChildren();
    told.textContent = "Loading…";
    return load();
  }

  async function load() {
    const mine = (turn += 1);
    try {
      const page = await call("GET", "memory", {
        query: { q: query.value.trim(), kind: kind.value, limit: PAGE, after },
      });
      if (mine !== turn) return; // something else was asked for meanwhile
      list.append(...page.data.map(entry));
      after = page.after;
      more.hidden = after === null;
      told.textContent = list.children.length
        ? ""
        : query.value
          ? "Nothing like it is remembered."
          : "Nothing is remembered yet.";
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      more.hidden = true;
      told.textContent = error.message;
    }
  }

  async function open(id) {
    all.hidden = Boolean(id);
    one.hidden = !id;
    try {
      const { about } = await whatThereIs();
      form.hidden = about.memory === "off";
      if (about.memory === "off") {
        all.hidden = false;
        one.hidden = true;
        told.textContent = OFF;
      } else if (id) {
        one.replaceChildren(...experience(await call("GET", `memory/${encodeURIComponent(id)}`)));
      } else {
        await begin();
      }
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      all.hidden = true;
      one.hidden = false;
      one.replaceChildren(h("p", { class: "problem-note wrong", role: "alert" }, error.message));
    }
  }

  return {
    element: h("div", { class: "view" }, h("h1", { tabindex: "-1" }, "Memory"), all, one),
    open,
    runs: () => [],
  };
}

function entry(one) {
  const uses = one.uses ? `shown ${one.uses} times, ${one.successes} of them with success` : "";
  return h(
    "li",
    {},
    h("a", { class: "past-problem", href: `#/memory/${one.id}` }, withFormulas(clipped(one.title, 220))),
    h(
      "p",
      { class: "past-facts" },
      one.answer !== null && h("strong", {}, answerNode(clipped(one.answer, 80))),
      pill(one.kind),
      pill(one.trust, TRUSTED[one.trust] ?? ""),
      h("span", { class: "soft" }, [one.subject, one.source, uses].filter(Boolean).join(" · ")),
    ),
  );
}

function experience(record) {
  const { content, provenance, evidence, score } = record.experience;
  const words = (label, text) => text && [h("h2", {}, label), h("div", { class: "words" }, prose(text))];
  const code = (label, text) => text && [h("h2", {}, label), codeBox(text, { language: "python", label })];
  const from = [
    provenance.strategy,
    provenance.model,
    provenance.dataset && `${provenance.dataset} ${provenance.item}`,
    provenance.source,
  ]
    .filter(Boolean)
    .join(" · ");
  return [
    h("p", {}, h("a", { href: "#/memory" }, "← Memory")),
    h("p", { class: "past-facts" }, pill(record.kind), pill(record.trust, TRUSTED[record.trust] ?? "")),
    words(content.kind === "fact" ? content.title : "Problem", content.statement ?? content.problem ?? ""),
    content.answer !== undefined && [h("h2", {}, "Answer"), h("p", {}, answerNode(content.answer))],
    code("Program", content.program ?? ""),
    words("Solution", content.reasoning ?? ""),
    words("What went wrong", content.mistake ?? ""),
    words("What put it right", content.fix ?? ""),
    content.knowledge?.length > 0 && [
      h("h2", {}, "What would have helped"),
      h(
        "ul",
        {},
        content.knowledge.map((one) => h("li", {}, withFormulas(one))),
      ),
    ],
    words(`Plan for ${content.problem_type ?? ""}`, content.plan ?? ""),
    code("Example", content.example ?? ""),
    content.kind === "statistics" &&
      h("p", {}, `${content.strategy} ${content.success ? "got it right" : "got it wrong"}.`),
    evidence.length > 0 && [h("h2", {}, "Evidence"), evidence.map((one) => checkPart(one))],
    h(
      "dl",
      { class: "facts" },
      from && fact("from", from),
      provenance.created > 0 && fact("written", when(provenance.created)),
      fact("shown", `${record.uses} times, ${record.successes} of them with success`),
      score !== null && fact("score", score.toFixed(2)),
    ),
  ]
    .flat(Infinity)
    .filter(Boolean);
}
