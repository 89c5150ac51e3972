/** The server's key: asked for when the server wants one, kept as its user wishes, sent to nobody else. */

import { button, field, h } from "./dom.js";
import { forget, keep, recall } from "./storage.js";

let asking = null;

/** The key that is kept; null where none is. */
export function bearer() {
  return recall("key");
}

/** Asks for a key; whether there is another than `refused` now. Many may ask: the user sees one question. */
export function askForKey(refused) {
  if (bearer() !== refused) return Promise.resolve(true);
  asking ??= shown(refused).finally(() => {
    asking = null;
  });
  return asking;
}

/** Has `control` show that a key is kept, and change it. */
export function keyButton(control) {
  const show = () => {
    control.hidden = bearer() === null;
  };
  control.addEventListener("click", () => shown(null).then((changed) => changed && location.reload()));
  document.addEventListener("keychange", show);
  show();
}

function shown(refused) {
  const input = h("input", { type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const lasting = h("input", { type: "checkbox", id: "key-lasting" });
  const wrong = h("p", { class: "wrong", role: "alert" }, refused ? "The server does not know that key." : "");
  const dialog = h("dialog", { class: "key", "aria-labelledby": "key-title" });
  return new Promise((resolve) => {
    let changed = false;
    const end = (value) => {
      changed = value;
      dialog.close();
    };
    const form = h(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          keep("key", input.value.trim(), { forTab: !lasting.checked });
          end(true);
        },
      },
      h("h2", { id: "key-title" }, "This server needs a key"),
      h(
        "p",
        { class: "soft" },
        "Whoever runs it can give you one. It stays in this browser and is sent to this server only.",
      ),
      wrong,
      field("Key", input),
      h("label", { class: "check", for: "key-lasting" }, lasting, " Keep it when the tab is closed"),
      h(
        "div",
        { class: "row" },
        h("button", { class: "primary" }, "Use this key"),
        bearer() !== null &&
          button("Forget it", () => {
            forget("key");
            end(true);
          }),
        button("Cancel", () => end(false)),
      ),
    );
    dialog.append(form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      document.dispatchEvent(new Event("keychange"));
      resolve(changed);
    });
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}
