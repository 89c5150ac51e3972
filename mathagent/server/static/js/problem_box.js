/** Where a problem is typed, with its formulas as they will look. */

import { freshId, h } from "./dom.js";
import { segments } from "./math.js";
import { photoPart } from "./photo.js";
import { prose } from "./prose.js";

/** {element, text(), set(text), focus(), showPhotos()}; `onAsk` hears Ctrl+Enter. */
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
  const photo = photoPart({
    onText: (text) => {
      input.value = [input.value.trim(), text].filter(Boolean).join("\n\n"); // what was typed stays
      show();
      input.focus();
    },
  });
  const show = () => {
    photo.clear();
    const hasFormulas = segments(input.value).some((one) => one.tex !== undefined);
    preview.hidden = !hasFormulas;
    preview.replaceChildren(...(hasFormulas ? prose(input.value) : []));
  };
  input.addEventListener("input", show);
  input.addEventListener("paste", photo.take);
  input.addEventListener("drop", photo.take);
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
      photo.told,
      photo.row,
      preview,
      note,
    ),
    text: () => input.value.trim(),
    set: (text) => {
      input.value = text;
      show();
    },
    focus: () => input.focus(),
    /** Says whether photos can be read; raises ApiFailure where the server cannot be asked. */
    showPhotos: photo.show,
  };
}
