/** The view in which a problem is asked. */

import { whatThereIs } from "./about.js";
import { ApiFailure } from "./api.js";
import { button, h } from "./dom.js";
import { withFormulas } from "./math.js";
import { solveOptions } from "./options.js";
import { problemBox } from "./problem_box.js";
import { SolveRun } from "./solve_run.js";

const EXAMPLES = [
  "What is the sum of the digits of $2^{100}$?",
  "Find all real $x$ with $x^3 - 6x^2 + 11x - 6 = 0$.",
  "How many ways are there to tile a $2 \\times 10$ board with dominoes?",
];

/** {element, open(), run()}. */
export function askView() {
  const box = problemBox({ onAsk: () => ask() });
  const options = h("div");
  const told = h("p", { class: "wrong", role: "alert" });
  const askButton = button("Ask", () => ask(), { class: "primary" });
  const place = h("div");
  const examples = h(
    "ul",
    { class: "examples", "aria-label": "Examples" },
    EXAMPLES.map((one) =>
      h(
        "li",
        {},
        button(withFormulas(one), () => (box.set(one), box.focus()), { class: "example" }),
      ),
    ),
  );
  const element = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, "Ask a problem"),
    box.element,
    options,
    told,
    h("div", { class: "row" }, askButton),
    place,
    examples,
  );
  let chosen = null;
  let run = null;

  async function ready() {
    if (chosen) return chosen;
    chosen = solveOptions(await whatThereIs());
    options.replaceChildren(chosen.element);
    await box.showPhotos();
    return chosen;
  }

  /** Whether `work` could be done; where the server refuses it, why is told. */
  async function tried(work) {
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      told.textContent = error.message;
      return false;
    }
  }

  async function ask() {
    if (run?.isRunning) return;
    told.textContent = "";
    if (!(await tried(ready))) return;
    const wrong = box.text() ? chosen.problem() : "Type a problem first.";
    if (wrong) {
      told.textContent = wrong;
      if (!box.text()) box.focus();
      return;
    }
    const seed = chosen.seed.next();
    const again = () => {
      if (seed) chosen.seed.set(seed);
      ask();
    };
    run = new SolveRun({ retry: again, retryWords: seed ? `Try again, seed ${seed}` : "Try again" });
    examples.hidden = true;
    place.replaceChildren(run.element);
    askButton.disabled = true;
    await run.start({ problem: box.text(), ...chosen.value() });
  }

  document.addEventListener("runchange", () => {
    askButton.disabled = Boolean(run?.isRunning);
  });

  return {
    element,
    runs: () => (run ? [run] : []),
    open: () => tried(ready),
    /** Puts a problem into the box, with a strategy. */
    fill: async (problem, strategy) => {
      box.set(problem);
      if (await tried(ready)) chosen.choose(strategy);
      box.focus();
    },
  };
}
