/** SolveRun: one solve on the page: its stream, what its user may do meanwhile, and what comes of it. */

import { answerCard } from "./answer_card.js";
import { ApiFailure, call, stream } from "./api.js";
import { button, h } from "./dom.js";
import { hintForm } from "./hint.js";
import { Meter } from "./meter.js";
import { personForm } from "./person.js";
import { Trace } from "./trace.js";
import { clipped, counted } from "./words.js";

export class SolveRun {
  /** `onEnd` hears the solution, or null where there is none; `retry` begins anew, and is offered where it is given.
   *  `compact`: it stands beside others: no hints, and how it was found is folded away. */
  constructor({ onEnd = () => undefined, retry = null, retryWords = "Try again", compact = false } = {}) {
    Object.assign(this, { onEnd, compact });
    this.solveId = "";
    this.solution = null;
    this.state = "idle"; // idle, waiting, running, stopping, person, done, failed
    this.meter = new Meter();
    this.status = h("p", { class: "status", role: "status" });
    this.stopButton = button("Stop", () => this.stop(), {
      class: "stop",
      title: "Gives the best answer so far (Esc)",
    });
    this.hint = hintForm((text) => call("POST", `solutions/${this.solveId}/hint`, { body: { text } }));
    this.retryButton = retry && button(retryWords, retry, { class: "retry" });
    this.onButton = button("Go on", () => this.resume(), { class: "primary" });
    this.result = h("div", { class: "result" });
    this.events = h("div", { class: "trace" });
    const controls = h("div", { class: "row controls" }, this.stopButton, this.onButton, this.retryButton);
    this.head = h("div", { class: "run-head" }, this.status, this.meter.element, controls);
    this.fold = h("details", { class: "how", open: true }, h("summary", {}, "How it goes"), this.events);
    this.element = h(
      "section",
      { class: "run", "aria-label": "Solve" },
      this.head,
      this.hint.element,
      this.result,
      this.fold,
    );
    this.#becomes("idle", "");
  }

  get isRunning() {
    return ["waiting", "running", "stopping"].includes(this.state);
  }

  /** Asks for a new solve; `body` is that of /v1/solve. */
  start(body) {
    this.solveId = "";
    this.trace = new Trace(this.events);
    this.events.replaceChildren();
    this.meter.reset();
    return this.#follow("solve", body);
  }

  /** Goes on with a solve that was ended; `answer` is for what it waits for. */
  resume(answer = null) {
    this.trace ??= new Trace(this.events);
    return this.#follow(`solutions/${this.solveId}/resume`, answer ? { answer } : {});
  }

  /** Has it give its best so far; where it has not begun, or was told so before, it is left. */
  async stop() {
    if (!this.isRunning) return;
    if (this.state !== "running" || !this.solveId) {
      this.leave.abort();
      return;
    }
    this.#becomes("stopping", "Stopping: the best so far will be given. Stop again to leave at once.");
    try {
      await call("POST", `solutions/${this.solveId}/stop`);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.code !== "not_running") this.leave.abort(); // it has ended meanwhile, else it cannot be told
    }
  }

  async #follow(path, body) {
    this.leave = new AbortController();
    this.result.replaceChildren();
    this.fold.open = true;
    this.#becomes("waiting", "Waiting for its turn…");
    this.meter.start(this.meter.spent);
    try {
      let solution = null;
      for await (const event of stream(path, body, this.leave.signal)) {
        this.#hear(event);
        if (event.kind === "solve-finished") solution = event.solution;
      }
      this.#finished(solution);
    } catch (error) {
      this.#failed(error);
    }
  }

  #hear(event) {
    this.meter.add(event);
    this.trace.add(event);
    if (event.kind === "solve-started") {
      this.solveId = event.solve_id;
      this.#becomes("running", event.resumed ? "Goes on…" : `Solving by ${event.strategy}…`);
    } else if (event.kind === "candidate-proposed" && this.state === "running") {
      const words = event.candidate.answer ? clipped(event.candidate.answer.raw, 60) : "no answer";
      this.status.textContent = `Sample ${event.sample + 1}: ${words}`;
    }
  }

  #finished(solution) {
    this.meter.stop(solution);
    this.solution = solution;
    this.solveId = solution.solve_id;
    if (solution.waiting_for) {
      this.trace.waits();
      this.result.replaceChildren(personForm(solution.waiting_for, (answer) => this.resume(answer)));
      this.#becomes("person", "It waits for you.");
    } else {
      this.trace.ended();
      this.result.replaceChildren(answerCard(solution));
      this.fold.open = this.compact ? false : solution.candidates.length <= 1;
      this.fold.firstElementChild.textContent = `How it was found: ${counted(solution.candidates.length, "candidate")}`;
      this.#becomes(
        "done",
        solution.answer === null ? "Done: no answer was found." : `Done: ${clipped(solution.answer, 80)}`,
      );
      this.onButton.hidden = !solution.resumable;
    }
    this.onEnd(solution.waiting_for ? null : solution);
  }

  #failed(error) {
    this.meter.stop();
    this.trace.ended();
    const left = error.name === "AbortError";
    const ours = !left && !(error instanceof ApiFailure);
    const words = left
      ? "Left. What was paid for is kept."
      : ours
        ? `The page failed: ${error.message}`
        : error.message;
    this.result.replaceChildren(
      h("p", { class: left ? "problem-note" : "problem-note wrong", role: "alert" }, words),
    );
    this.#becomes("failed", left ? "Left." : "It failed.");
    this.onButton.hidden = !this.solveId || error.code === "not_resumable";
    this.onEnd(null);
    if (ours) throw error;
  }

  #becomes(state, words) {
    this.state = state;
    this.status.textContent = words;
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(this.isRunning));
    this.stopButton.hidden = !this.isRunning;
    this.stopButton.textContent = state === "stopping" ? "Leave at once" : "Stop";
    this.hint.element.hidden = state !== "running" || this.compact;
    this.onButton.hidden = true;
    if (this.retryButton) this.retryButton.hidden = this.isRunning || state === "idle";
    document.dispatchEvent(new Event("runchange"));
  }
}
