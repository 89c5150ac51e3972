/** The page: its views, the addresses that lead to them, and keys that work in all of them. */

import { askView } from "./ask.js";
import { compareView } from "./compare.js";
import { keyButton } from "./key.js";
import { memoryView } from "./memory.js";
import { pastView } from "./past.js";
import { recordView } from "./record.js";
import { themeButton } from "./theme.js";

const main = document.getElementById("main");
const ask = askView();
const askAgain = (problem, strategy) => {
  location.hash = "#/";
  ask.fill(problem, strategy);
};
const views = {
  ask,
  compare: compareView(),
  past: pastView(),
  record: recordView({ askAgain }),
  memory: memoryView(),
};
const ADDRESSES = [
  [/^#\/compare$/, "compare", "#/compare"],
  [/^#\/past$/, "past", "#/past"],
  [/^#\/past\/(.+)$/, "record", "#/past"],
  [/^#\/memory(?:\/(.+))?$/, "memory", "#/memory"],
  [/^/, "ask", "#/"],
];
let current = null;

/** Opens the view that the address names. Views stay as they are meanwhile, and their solves run on. */
function follow({ focus = true } = {}) {
  const [pattern, name, link] = ADDRESSES.find(([one]) => one.test(location.hash));
  const part = pattern.exec(location.hash)[1];
  current = views[name];
  for (const one of Object.values(views)) one.element.hidden = one !== current;
  for (const one of document.querySelectorAll("nav a")) {
    if (one.getAttribute("href") === link) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  const title = current.element.querySelector("h1");
  document.title = `${title.textContent} · mathagent`;
  if (focus) {
    scrollTo(0, 0);
    title.focus({ preventScroll: true });
  }
  current.open(part && decodeURIComponent(part));
}

function anyRuns() {
  return Object.values(views).some((view) => view.runs().some((run) => run.isRunning));
}

main.append(...Object.values(views).map((view) => view.element));
addEventListener("hashchange", () => follow());
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  for (const run of current.runs()) run.stop();
});
addEventListener("beforeunload", (event) => {
  if (anyRuns()) event.preventDefault(); // who leaves the page ends its solves
});
themeButton(document.getElementById("theme"));
keyButton(document.getElementById("key"));
follow({ focus: false });
document.documentElement.dataset.ready = "";
