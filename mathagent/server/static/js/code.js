/** Programs and their output, in boxes that scroll by themselves. */

import { button, h } from "./dom.js";
import { highlighted } from "./python.js";

const LONGEST = 40_000; // characters with colours; more is shown in one
const PYTHON = new Set(["python", "py", "python3", "sympy"]);

/** `text` in a box. `fence`: it stands in a reply, and gives way to the same program once that runs. */
export function codeBox(text, { language = "", label = "", fence = false } = {}) {
  const coloured = PYTHON.has(language) && text.length <= LONGEST;
  const pre = h(
    "pre",
    { tabindex: "0", role: "group", "aria-label": label || language || "text" },
    h("code", {}, coloured ? highlighted(text) : text),
  );
  const copy = navigator.clipboard && button("Copy", () => copied(copy, text), { class: "copy" });
  const box = h("div", { class: "code-box" }, copy || null, pre);
  if (fence) box.dataset.fence = "";
  return box;
}

/** Takes the box of the program `code` out of `reply`; whether there was one. */
export function takeFence(reply, code) {
  for (const box of reply.querySelectorAll("[data-fence]")) {
    if (box.querySelector("pre").textContent.trim() === code.trim()) {
      box.remove();
      return true;
    }
  }
  return false;
}

async function copied(control, text) {
  try {
    await navigator.clipboard.writeText(text);
    control.textContent = "Copied";
  } catch {
    control.textContent = "Not allowed"; // by the browser, or by who runs it
  }
  setTimeout(() => (control.textContent = "Copy"), 1500);
}
