/** SampleCard: one sample of a solve as it comes into being: replies, programs, checks, and what it came to. */

import { takeFence } from "./code.js";
import { h } from "./dom.js";
import { answerNode } from "./math.js";
import { checkPart, codePart, judgedPart, outputPart, pill, replyPart, scoredPart } from "./parts.js";
import { prose } from "./prose.js";

const DRAWN_MS = 150; // how often a reply that is being written is drawn anew
const LIVELY = 8000; // characters; a longer reply gets its formulas when it is complete
const TONES = { correct: "good", incorrect: "bad", unsure: "unsure" };

export class SampleCard {
  constructor(number, { open = true } = {}) {
    this.number = number;
    this.state = h("span", { class: "state" });
    this.answer = h("span", { class: "card-answer" });
    this.body = h("div", { class: "card-body" });
    const name = h("span", { class: "card-name" }, `Sample ${number + 1}`);
    const summary = h("summary", { onclick: () => (this.touched = true) }, name, this.answer, this.state);
    this.element = h("details", { class: "card", open }, summary, this.body);
    this.touched = false;
    this.live = new Map(); // by role
    this.running = [];
    this.lastReply = null;
  }

  /** What it is at, in a word or two. */
  says(words, tone = "") {
    this.state.replaceChildren(pill(words, tone));
  }

  delta({ role, text, typed }) {
    let reply = this.live.get(role);
    if (!reply) {
      const element = h("div", { class: "part reply live" }, h("div", { class: "words" }));
      reply = { element, text: "", timer: 0, typed };
      this.live.set(role, reply);
      this.body.append(element);
      this.says(typed ? `${role} decides` : "writing");
    }
    reply.text += text;
    if (!typed) reply.timer ||= setTimeout(() => this.#draw(reply), DRAWN_MS);
  }

  #draw(reply) {
    reply.timer = 0;
    const words = reply.element.firstElementChild;
    words.replaceChildren(...(reply.text.length > LIVELY ? [reply.text] : prose(reply.text)));
  }

  /** Drops replies that are not complete: they will be written anew. */
  dropUnfinished() {
    for (const reply of this.live.values()) {
      clearTimeout(reply.timer);
      reply.element.remove();
    }
    this.live.clear();
  }

  replied({ role, text, typed, cached }) {
    const part = replyPart(text, { role, typed, cached });
    const reply = this.live.get(role);
    if (reply) {
      clearTimeout(reply.timer);
      reply.element.replaceWith(part);
      this.live.delete(role);
    } else {
      this.body.append(part);
    }
    this.lastReply = part;
    this.says("replied");
  }

  codeStarted({ code }) {
    if (this.lastReply && takeFence(this.lastReply, code) && !this.lastReply.textContent.trim())
      this.lastReply.remove();
    const part = codePart(code);
    part.append(h("p", { class: "label running" }, "running…"));
    this.running.push(part);
    this.body.append(part);
    this.says("running a program");
  }

  codeFinished({ execution }) {
    const part = this.running.shift();
    part?.querySelector(".running")?.remove();
    (part ?? this.body).append(outputPart(execution));
    this.says(
      execution.status === "ok" ? "the program ran" : "the program failed",
      execution.status === "ok" ? "" : "unsure",
    );
  }

  check({ check }) {
    this.body.append(checkPart(check));
    this.says("checking");
  }

  judged(event) {
    this.body.append(judgedPart(event));
    this.judgement = event.judgement;
    this.says(event.judgement, TONES[event.judgement]);
  }

  scored(event) {
    this.body.append(scoredPart(event));
  }

  proposed({ candidate }) {
    if (candidate.answer) {
      this.answer.replaceChildren(answerNode(candidate.answer.raw));
      this.says(this.judgement ?? "candidate", TONES[this.judgement] ?? "");
    } else {
      this.says(`no answer: ${candidate.failure?.message ?? ""}`, "unsure");
    }
  }

  /** The solve waits for a person, and goes on with what is running anew: that is drawn then. */
  waits() {
    for (const part of this.running) part.remove();
    this.running = [];
    this.says("waits for you", "unsure");
  }

  /** The solve has ended: nothing more comes. */
  ended() {
    for (const reply of this.live.values()) {
      clearTimeout(reply.timer);
      this.#draw(reply);
      reply.element.classList.remove("live");
    }
    for (const part of this.running)
      part.querySelector(".running")?.replaceChildren("ended before it was done");
    if (this.live.size || this.running.length) this.says("broken off");
  }
}
