/** The colours: the system's own, light or dark. */

import { recall, keep } from "./storage.js";

const NAMES = ["system", "light", "dark"];
const WORDS = { system: "◐ Auto", light: "☀ Light", dark: "☾ Dark" };

/** Has `button` go through the choices. */
export function themeButton(button) {
  const show = () => {
    const name = NAMES.includes(recall("theme")) ? recall("theme") : "system";
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = WORDS[name];
    button.setAttribute("aria-label", `Colours: ${name}. Press for the next.`);
    return name;
  };
  button.addEventListener("click", () => {
    keep("theme", NAMES[(NAMES.indexOf(show()) + 1) % NAMES.length]);
    show();
  });
  show();
}
