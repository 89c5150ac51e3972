/** The view in which strategies solve one problem side by side. */

import { whatThereIs } from "./about.js";
import { ApiFailure } from "./api.js";
import { button, h } from "./dom.js";
import { answerNode } from "./math.js";
import { solveOptions } from "./options.js";
import { problemBox } from "./problem_box.js";
import { SolveRun } from "./solve_run.js";
import { strategyPicker } from "./strategy_picker.js";
import { seconds } from "./words.js";

const LEAST = 2;
const MOST = 4;
const FIRST = ["pal", "cot"];

/** {element, open(), runs()}. */
export function compareView() {
  const box = problemBox({ onAsk: () => compare(), rows: 3 });
  const pickers = h("div", { class: "pickers" });
  const options = h("div");
  const told = h("p", { class: "wrong", role: "alert" });
  const go = button("Compare", () => compare(), { class: "primary" });
  const more = button("Add a strategy", () => add(), { hidden: true });
  const stop = button("Stop all", () => runs.forEach((one) => one.stop()), { class: "stop", hidden: true });
  const table = h("div", { class: "scrolls" });
  const columns = h("div", { class: "columns" });
  let there = null;
  let chosen = null;
  let runs = [];
  const picks = [];

  function add(name = there.about.strategy) {
    const picker = strategyPicker({
      strategies: there.strategies,
      chosen: name,
      label: `Strategy ${picks.length + 1}`,
    });
    const remove = button(
      "Remove",
      () => {
        picks.splice(picks.indexOf(picker), 1);
        item.remove();
        show();
      },
      { class: "quiet remove", "aria-label": "Remove this strategy" },
    );
    const item = h("div", { class: "pick" }, picker.element, remove);
    picker.remove = remove;
    picks.push(picker);
    pickers.append(item);
    show();
  }

  function show() {
    more.hidden = picks.length >= MOST;
    picks.forEach((picker, index) => {
      picker.remove.hidden = picks.length <= LEAST;
      picker.element.querySelector("label").textContent = `Strategy ${index + 1}`;
    });
  }

  async function ready() {
    if (there) return;
    const found = await whatThereIs();
    if (there) return; // another call was quicker
    there = found;
    chosen = solveOptions(there, { withStrategy: false });
    options.replaceChildren(chosen.element);
    for (const name of FIRST) add(there.strategies.has(name) ? name : there.about.strategy);
    await box.showPhotos();
  }

  async function compare() {
    if (runs.some((one) => one.isRunning)) return;
    told.textContent = "";
    try {
      await ready();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      told.textContent = error.message;
      return;
    }
    const names = picks.map((one) => one.value());
    told.textContent = !box.text()
      ? "Type a problem first."
      : names.includes("")
        ? "Write each composition, or choose a strategy."
        : chosen.problem();
    if (told.textContent) return;
    const body = { problem: box.text(), ...chosen.value() };
    runs = names.map(() => new SolveRun({ compact: true, onEnd: () => showTable(names) }));
    const made = names.map((name, index) =>
      h("article", { class: "column", "aria-label": name }, h("h2", {}, name), runs[index].element),
    );
    columns.style.setProperty("--columns", String(names.length));
    columns.replaceChildren(...made);
    table.replaceChildren();
    await Promise.all(runs.map((one, index) => one.start({ ...body, strategy: names[index] })));
  }

  function showTable(names) {
    const rows = names.map((name, index) => row(name, runs[index]));
    const head = ["strategy", "answer", "sure", "checks that hold", "calls", "tokens", "time"].map((words) =>
      h("th", { scope: "col" }, words),
    );
    table.replaceChildren(
      h(
        "table",
        { class: "results" },
        h("caption", {}, "Side by side"),
        h("thead", {}, h("tr", {}, head)),
        h("tbody", {}, rows),
      ),
    );
  }

  document.addEventListener("runchange", () => {
    const busy = runs.some((one) => one.isRunning);
    go.disabled = busy;
    stop.hidden = !busy;
  });

  return {
    element: h(
      "div",
      { class: "view wide" },
      h("h1", { tabindex: "-1" }, "Compare strategies"),
      box.element,
      pickers,
      options,
      told,
      h("div", { class: "row" }, go, more, stop),
      table,
      columns,
    ),
    runs: () => runs,
    open: async () => {
      try {
        await ready();
      } catch (error) {
        if (!(error instanceof ApiFailure)) throw error;
        told.textContent = error.message;
      }
    },
  };
}

function row(name, run) {
  const solution = run.solution;
  const cell = (...words) => h("td", {}, ...words);
  if (!solution)
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", { colspan: 6, class: "soft" }, run.status.textContent),
    );
  const { answer, confidence, certificate, usage } = solution;
  const holding = certificate.filter((one) => one.outcome === "holds").length;
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, name),
    cell(answer === null ? h("span", { class: "soft" }, "none") : answerNode(answer)),
    cell(confidence === null ? "–" : `${Math.round(confidence * 100)} %`),
    cell(certificate.length ? `${holding} of ${certificate.length}` : "none"),
    cell(usage.calls.toLocaleString("en")),
    cell(usage.completion_tokens.toLocaleString("en")),
    cell(seconds(solution.seconds)),
  );
}
