/** A hint for a solve that runs. */

import { ApiFailure } from "./api.js";
import { freshId, h } from "./dom.js";

/** The form; `give` sends a hint. */
export function hintForm(give) {
  const id = freshId("hint");
  const input = h("input", { type: "text", id, maxlength: 4000, placeholder: "e.g. count the odd ones first" });
  const told = h("p", { class: "soft", role: "status" });
  const form = h(
    "form",
    {
      class: "hint",
      onsubmit: async (event) => {
        event.preventDefault();
        const text = input.value.trim();
        if (!text) return;
        try {
          await give(text);
          input.value = "";
          told.textContent = "Given: the model's next call sees it.";
        } catch (error) {
          if (!(error instanceof ApiFailure)) throw error;
          told.textContent = error.message;
        }
      },
    },
    h("label", { for: id }, "Hint"),
    input,
    h("button", {}, "Give"),
    told,
  );
  return { element: form };
}
