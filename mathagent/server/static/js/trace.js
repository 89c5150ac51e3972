/** Trace: what a solve does, drawn as its events arrive. */

import { codeBox } from "./code.js";
import { fold, h } from "./dom.js";
import { answerNode } from "./math.js";
import { pill } from "./parts.js";
import { prose } from "./prose.js";
import { SampleCard } from "./sample_card.js";
import { clipped, counted, seconds, sentence } from "./words.js";

const OPEN_AT_ONCE = 3; // cards of more samples begin folded: their first lines tell how they go

export class Trace {
  constructor(root) {
    this.root = root;
    this.cards = new Map();
    this.votes = null;
  }

  /** Draws `event`; kinds that this page does not know are passed over. */
  add(event) {
    const draw = DRAW[event.kind];
    if (draw) draw(this, event);
  }

  /** Nothing more comes. */
  ended() {
    for (const card of this.cards.values()) card.ended();
  }

  /** It waits for a person. */
  waits() {
    for (const card of this.cards.values()) if (card.running.length) card.waits();
  }

  card(number) {
    let card = this.cards.get(number);
    if (!card) {
      card = new SampleCard(number, { open: this.cards.size < OPEN_AT_ONCE });
      const later = [...this.cards.values()]
        .filter((one) => one.number > number)
        .sort((a, b) => a.number - b.number)[0];
      this.cards.set(number, card);
      this.root.insertBefore(card.element, later?.element ?? null);
    }
    return card;
  }

  line(sign, tone, ...words) {
    const element = h(
      "div",
      { class: `line ${tone}` },
      h("span", { class: "sign", "aria-hidden": "true" }, sign),
      h("div", {}, ...words),
    );
    this.root.append(element);
    return element;
  }

  vote({ classes, samples, stop, reason }) {
    const most = Math.max(1, samples);
    const rows = classes.map(([answer, votes]) =>
      h(
        "li",
        {},
        h("span", { class: "vote-answer" }, answerNode(answer)),
        h("progress", { max: most, value: votes, "aria-hidden": "true" }),
        h("span", { class: "soft" }, counted(votes, "vote")),
      ),
    );
    this.votes ??= this.line("≡", "votes", "");
    this.root.append(this.votes);
    this.votes.lastElementChild.replaceChildren(
      h(
        "p",
        { class: "label" },
        `Votes after ${counted(samples, "sample")}${stop ? ": enough" : ""}${reason ? ` (${reason})` : ""}`,
      ),
      h("ul", { class: "votes" }, rows),
    );
  }
}

const DRAW = {
  "token-delta": (trace, event) => trace.card(event.sample).delta(event),
  "model-replied": (trace, event) => trace.card(event.sample).replied(event),
  "code-started": (trace, event) => trace.card(event.sample).codeStarted(event),
  "code-finished": (trace, event) => trace.card(event.sample).codeFinished(event),
  "check-finished": (trace, event) => trace.card(event.sample).check(event),
  judged: (trace, event) => trace.card(event.sample).judged(event),
  scored: (trace, event) => trace.card(event.sample).scored(event),
  "candidate-proposed": (trace, event) => {
    const card = trace.card(event.sample);
    card.proposed(event);
    if (trace.cards.size > 1 && !card.touched) card.element.open = false;
  },
  "plan-made": (trace, { text }) =>
    trace.line("☰", "plan", h("p", { class: "label" }, "Plan"), h("div", { class: "words" }, prose(text))),
  recalled: (trace, { found }) => {
    if (!found.length) return;
    const rows = found.map((one) =>
      h(
        "li",
        {},
        h("a", { href: `#/memory/${encodeURIComponent(one.id)}` }, clipped(one.title || one.id, 90)),
        " ",
        pill(one.experience),
        one.trust && pill(one.trust),
      ),
    );
    trace.line(
      "❖",
      "",
      fold(`From memory: ${counted(found.length, "experience")} shown to the model`, {}, h("ul", {}, rows)),
    );
  },
  remembered: (trace, { new: fresh, merged }) =>
    trace.line("❖", "", `Written to memory: ${fresh} new, ${merged} known already`),
  asked: (trace, { role, attempts, fell_back, dropped }) => {
    if (fell_back)
      trace.line(
        "!",
        "unsure",
        `What ${role} answered could not be read after ${counted(attempts, "reply", "replies")}; the solve goes on without it.`,
      );
    else if (dropped)
      trace.line("!", "", `Of what ${role} answered, ${counted(dropped, "part")} could not be read.`);
  },
  decided: (trace, { role, decision, subject, reason, outcome }) =>
    trace.line(
      "→",
      "",
      h("strong", {}, `${role}: ${decision}${subject ? ` ${subject}` : ""}`),
      reason && ` — ${reason}`,
      outcome && h("div", { class: "soft" }, outcome),
    ),
  "tool-started": (trace, { tool, arguments: given }) =>
    trace.line("⚙", "", fold(`Calls the tool ${tool}`, {}, codeBox(given, { label: "Arguments" }))),
  "tool-finished": (trace, { tool, ok, text, seconds: took }) =>
    trace.line(
      "⚙",
      ok ? "" : "unsure",
      fold(
        `${tool} ${ok ? "answered" : "failed"} after ${seconds(took)}`,
        {},
        codeBox(text, { label: "Result" }),
      ),
    ),
  voted: (trace, event) => trace.vote(event),
  "budget-reached": (trace, { message }) => trace.line("!", "unsure", sentence(message)),
  "person-answered": (trace, { response }) => trace.line("☺", "", `You said: ${response.kind}`),
  "hint-given": (trace, { text }) => trace.line("☺", "hint", h("strong", {}, "Hint: "), text),
  retried: (trace, { attempt, wait_s, error }) => {
    for (const card of trace.cards.values()) card.dropUnfinished();
    trace.line("↻", "unsure", `Request failed (try ${attempt}); sent again in ${seconds(wait_s)}: ${error}`);
  },
  warned: (trace, { message }) => trace.line("!", "unsure", sentence(message)),
};
