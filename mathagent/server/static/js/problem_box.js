/** Where a problem is typed, with its formulas as they will look. */

import { freshId, h } from "./dom.js";
import { segments } from "./math.js";
import { prose } from "./prose.js";

const PICTURES =
  "Pictures cannot be read: models are sent text only here. Type the problem; formulas go between $ signs.";

/** {element, text(), set(text), focus()}; `onAsk` hears Ctrl+Enter. */
export function problemBox({ onAsk, rows = 4 }) {
  const id = freshId("problem");
  const input = h("textarea", {
    id,
    rows,
    maxlength: 100_000,
    class: "problem-input",
    placeholder: "For which $n$ is $2^n + 1$ divisible by 3?",
    "aria-describedby": `${id}-about`,
  });
  const preview = h("div", { class: "preview words", "aria-label": "Preview", hidden: true });
  const note = h(
    "p",
    { class: "about", id: `${id}-about` },
    "Formulas go between $ signs. ",
    h("kbd", {}, "Ctrl"),
    "+",
    h("kbd", {}, "Enter"),
    " asks.",
  );
  const told = h("p", { class: "wrong", role: "alert", hidden: true });
  const show = () => {
    told.hidden = true;
    const hasFormulas = segments(input.value).some((one) => one.tex !== undefined);
    preview.hidden = !hasFormulas;
    preview.replaceChildren(...(hasFormulas ? prose(input.value) : []));
  };
  const refusePictures = (event) => {
    const files = [...(event.clipboardData ?? event.dataTransfer).files];
    if (!files.some((one) => one.type.startsWith("image/"))) return;
    event.preventDefault();
    told.textContent = PICTURES;
    told.hidden = false;
  };
  input.addEventListener("input", show);
  input.addEventListener("paste", refusePictures);
  input.addEventListener("drop", refusePictures);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onAsk();
    }
  });
  return {
    element: h(
      "div",
      { class: "field problem-field" },
      h("label", { for: id }, "Problem"),
      input,
      told,
      preview,
      note,
    ),
    text: () => input.value.trim(),
    set: (text) => {
      input.value = text;
      show();
    },
    focus: () => input.focus(),
  };
}
