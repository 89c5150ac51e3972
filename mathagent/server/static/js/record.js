/** One past solve: its answer, its evidence, how it was found, and what may be done with it. */

import { answerCard } from "./answer_card.js";
import { ApiFailure, call } from "./api.js";
import { candidateCard } from "./candidate.js";
import { button, h, sure } from "./dom.js";
import { fact, pill } from "./parts.js";
import { personForm } from "./person.js";
import { prose } from "./prose.js";
import { STATUS } from "./past.js";
import { SolveRun } from "./solve_run.js";
import { counted, seconds, sentence, when } from "./words.js";

/** {element, open(id), runs()}; `askAgain` takes a problem and a strategy to the view that asks. */
export function recordView({ askAgain }) {
  const place = h("div");
  let run = null;

  async function open(id) {
    if (run?.isRunning && run.solveId === id) return;
    place.replaceChildren(h("p", { role: "status" }, "Loading…"));
    run = null;
    try {
      const record = await call("GET", `solutions/${encodeURIComponent(id)}`);
      place.replaceChildren(...shown(record));
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      place.replaceChildren(h("p", { class: "problem-note wrong", role: "alert" }, error.message));
    }
  }

  function shown(record) {
    const [words, tone] = STATUS[record.status];
    const told = h("p", { class: "wrong", role: "alert" });
    run = new SolveRun();
    run.solveId = record.id;
    run.element.hidden = true;
    const goOn = (answer = null) => {
      parts.remove();
      run.element.hidden = false;
      run.resume(answer);
    };
    const act = async (work) => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof ApiFailure)) throw error;
        told.textContent = error.message;
      }
    };
    const { solution, waiting_for: asked } = record;
    const parts = h(
      "div",
      {},
      record.error && h("p", { class: "problem-note wrong" }, sentence(record.error)),
      asked && personForm(asked, goOn),
      solution && !asked && answerCard(solution),
      solution && cost(solution),
      solution?.candidates.length > 0 &&
        h("h2", {}, `How it was found: ${counted(solution.candidates.length, "candidate")}`),
      solution?.candidates.map((one, index) =>
        candidateCard(one, index, { open: solution.candidates.length === 1 }),
      ),
    );
    const forget = sure(
      button("Forget it", () => undefined),
      "Really forget it?",
      () =>
        act(async () => {
          await call("DELETE", `solutions/${record.id}`);
          location.hash = "#/past";
        }),
    );
    return [
      h(
        "p",
        { class: "soft" },
        `${when(record.created)} · ${record.strategy} · ${record.model} `,
        words && pill(words, tone),
      ),
      h("div", { class: "words asked" }, prose(record.problem)),
      h(
        "div",
        { class: "row" },
        record.status === "resumable" && !asked && button("Go on", () => goOn(), { class: "primary" }),
        record.status === "running" &&
          button("Stop it", () =>
            act(() => call("POST", `solutions/${record.id}/stop`).then(() => open(record.id))),
          ),
        record.status === "running" && button("Look again", () => open(record.id)),
        button("Ask it again", () => askAgain(record.problem, record.strategy)),
        forget,
      ),
      told,
      run.element,
      parts,
    ];
  }

  return {
    element: h(
      "div",
      { class: "view" },
      h("p", {}, h("a", { href: "#/past" }, "← Past solves")),
      h("h1", { tabindex: "-1" }, "A past solve"),
      place,
    ),
    runs: () => (run ? [run] : []),
    open,
  };
}

function cost({ usage, seconds: took, by_model, recalled }) {
  return h(
    "dl",
    { class: "facts cost" },
    fact("took", seconds(took)),
    fact(
      "used",
      `${counted(usage.calls, "call")}, ${counted(usage.completion_tokens, "token")} written, `,
      `${usage.prompt_tokens.toLocaleString("en")} read`,
    ),
    by_model.some((one) => one.dollars !== null) &&
      fact("paid", `$${by_model.reduce((sum, one) => sum + (one.dollars ?? 0), 0).toFixed(4)}`),
    recalled.length > 0 &&
      fact(
        "shown from memory",
        recalled.map((id) => [h("a", { href: `#/memory/${encodeURIComponent(id)}` }, id.slice(0, 8)), " "]),
      ),
  );
}
