/** Meter: what a solve costs, as far as known while it runs: calls, tokens, seconds, and dollars at its end. */

import { h } from "./dom.js";
import { counted, seconds } from "./words.js";

const CHARS_A_TOKEN = 4; // a guess, until the reply is complete and the backend has counted

export class Meter {
  constructor() {
    this.element = h("div", { class: "meter", role: "group", "aria-label": "Cost" });
    this.reset();
  }

  reset() {
    clearInterval(this.timer);
    Object.assign(this, {
      calls: 0,
      asked: 0,
      written: 0,
      guessed: 0,
      cached: 0,
      dollars: null,
      spent: 0,
      began: null,
      timer: 0,
    });
    this.#show();
  }

  /** The clock begins; `already` seconds were used before. */
  start(already = 0) {
    this.spent = already;
    this.began = performance.now();
    this.timer = setInterval(() => this.#show(), 250);
  }

  add(event) {
    if (event.kind === "token-delta") this.guessed += event.text.length / CHARS_A_TOKEN;
    if (event.kind === "model-replied") {
      this.calls += event.usage.calls;
      this.asked += event.usage.prompt_tokens;
      this.written += event.usage.completion_tokens;
      this.guessed = 0;
    }
  }

  /** The clock stops; the solution, where there is one, says what was really used. */
  stop(solution = null) {
    clearInterval(this.timer);
    if (this.began !== null) this.spent += (performance.now() - this.began) / 1000;
    this.began = null;
    this.guessed = 0;
    if (solution) {
      const { usage, by_model } = solution;
      Object.assign(this, {
        calls: usage.calls,
        asked: usage.prompt_tokens,
        written: usage.completion_tokens,
        cached: usage.cached_calls,
        spent: solution.seconds,
      });
      const paid = by_model.map((one) => one.dollars).filter((one) => one !== null);
      this.dollars = paid.length ? paid.reduce((sum, one) => sum + one, 0) : null;
    }
    this.#show();
  }

  #show() {
    const now = this.spent + (this.began === null ? 0 : (performance.now() - this.began) / 1000);
    const written = Math.round(this.written + this.guessed);
    const parts = [
      [seconds(now), "since it began"],
      [
        counted(this.calls, "call"),
        this.cached ? `to the model, ${this.cached} of them answered from the cache` : "to the model",
      ],
      [
        `${this.guessed ? "≈ " : ""}${counted(written, "token")} written`,
        `and ${this.asked.toLocaleString("en")} read by the model`,
      ],
    ];
    if (this.dollars !== null) parts.push([`$${this.dollars.toFixed(4)}`, "paid"]);
    this.element.replaceChildren(...parts.map(([words, about]) => h("span", { title: about }, words)));
  }
}
