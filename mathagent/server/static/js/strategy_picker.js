/** The choice of a strategy, by kind, or of a composition of several. */

import { field, freshId, h } from "./dom.js";

const COMPOSED = "(composition)";

/** {element, value(), onChange}; `chosen` is the strategy to begin with. */
export function strategyPicker({ strategies, chosen, label = "Strategy", onChange = () => undefined }) {
  const select = h("select", { id: freshId("strategy") });
  const composition = h("input", {
    type: "text",
    spellcheck: "false",
    placeholder: "pal | vote(cot, tir)",
    maxlength: 400,
  });
  const about = h("p", { class: "about", id: `${select.id}-about` });
  const composed = field(
    "Composition",
    composition,
    "The next is asked where the one before it is not sure; vote(a, b) asks both.",
  );
  for (const [kind, names] of byKind(strategies)) {
    select.append(
      h(
        "optgroup",
        { label: kind },
        names.map((name) => h("option", { value: name }, name)),
      ),
    );
  }
  select.append(h("option", { value: COMPOSED }, "a composition…"));
  select.setAttribute("aria-describedby", about.id);

  const show = () => {
    const one = strategies.get(select.value);
    composed.hidden = select.value !== COMPOSED;
    about.textContent = one
      ? [one.summary, one.paper && `Paper: ${one.paper}`, callsWords(one.calls)].filter(Boolean).join(" · ")
      : "";
  };
  const picker = {
    element: h(
      "div",
      { class: "picker" },
      h("div", { class: "field" }, h("label", { for: select.id }, label), select, about),
      composed,
    ),
    value: () => (select.value === COMPOSED ? composition.value.trim() : select.value),
    choose: (name) => {
      select.value = strategies.has(name) ? name : COMPOSED;
      composition.value = strategies.has(name) ? "" : name;
      show();
      onChange(picker.value());
    },
  };
  select.addEventListener("change", () => {
    show();
    if (picker.value()) onChange(picker.value());
  });
  composition.addEventListener("change", () => onChange(picker.value()));
  picker.choose(chosen);
  return picker;
}

function byKind(strategies) {
  const groups = new Map();
  for (const { name, kind } of strategies.values()) {
    const words = kind ?? "of plugins";
    groups.set(words, [...(groups.get(words) ?? []), name]);
  }
  return groups;
}

function callsWords(calls) {
  if (!calls) return "";
  const [least, most] = calls;
  const amount = least === most ? `${least}` : `${least} to ${most}`;
  return `${amount} ${most === 1 ? "call" : "calls"} to the model`;
}
