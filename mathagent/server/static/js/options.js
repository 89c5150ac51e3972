/** How a problem is to be solved: strategy, model, limits, seed, and what its user wants to be asked. */

import { ApiFailure, call } from "./api.js";
import { field, fold, freshId, h } from "./dom.js";
import { settingsForm } from "./settings_form.js";
import { strategyPicker } from "./strategy_picker.js";

/** {element, value(), problem()}: `value` is a part of the body of /v1/solve, `problem` what is wrong with it ("":
 *  nothing). `withStrategy` false: that is chosen elsewhere. */
export function solveOptions({ about, strategies }, { withStrategy = true } = {}) {
  const summary = h("span", { class: "soft" });
  const settings = settingsPart();
  const picker =
    withStrategy &&
    strategyPicker({ strategies, chosen: about.strategy, onChange: (name) => settings.load(name).then(tell) });
  const model = h(
    "select",
    {},
    about.models.map((name) => h("option", { value: name }, name)),
  );
  const amount = (attributes) =>
    h("input", { type: "number", inputmode: "decimal", min: 1, step: 1, ...attributes });
  const limits = {
    max_seconds: amount({ placeholder: about.max_seconds, max: about.max_seconds, min: 1 }),
    max_tokens: amount({ placeholder: about.max_tokens ?? "no limit", max: about.max_tokens ?? null }),
    max_calls: amount({ placeholder: "no limit" }),
  };
  const seed = amount({
    min: null,
    placeholder: about.seeds ? "by itself" : "not with this model",
    disabled: !about.seeds && about.models.length === 1,
  });
  const sure = amount({ min: 0, max: 1, step: "any", placeholder: "any" });
  const choices = h("textarea", { rows: 3, placeholder: "one a line" });
  const approve = h("input", { type: "checkbox", id: freshId("approve") });
  const review = h("input", { type: "checkbox", id: freshId("review") });
  function tell() {
    summary.textContent = [
      picker && picker.value(),
      about.models.length > 1 && model.value,
      limits.max_seconds.value && `${limits.max_seconds.value} s`,
      seed.value && `seed ${seed.value}`,
    ]
      .filter(Boolean)
      .join(" · ");
  }

  const element = fold(
    ["Options ", summary],
    { class: "options", oninput: tell },
    h(
      "div",
      { class: "options-body" },
      picker && picker.element,
      h(
        "div",
        { class: "grid" },
        about.models.length > 1
          ? field("Model", model)
          : h(
              "div",
              { class: "field" },
              h("span", { class: "as-label" }, "Model"),
              h("code", {}, about.models[0]),
            ),
        field("Most seconds", limits.max_seconds),
        field("Most tokens", limits.max_tokens),
        field("Most calls", limits.max_calls),
        field("Seed", seed),
        field("Least confidence, 0 to 1", sure),
      ),
      field("Choices, for a question that has them", choices),
      h("label", { class: "check", for: approve.id }, approve, " Ask me before each program runs"),
      h("label", { class: "check", for: review.id }, review, " Show me plans before they are followed"),
      settings.element,
    ),
  );
  tell();

  return {
    element,
    seed: {
      next: () => about.seeds && String(Number(seed.value || 0) + 1),
      set: (value) => ((seed.value = value), tell()),
    },
    choose: (name) => picker && picker.choose(name),
    problem: () =>
      picker && !picker.value() ? "Write the composition, or choose a strategy." : wrong(element),
    value: () => ({
      ...(picker && { strategy: picker.value(), settings: settings.value() }),
      model: model.value,
      budget: Object.fromEntries(
        Object.entries(limits)
          .filter(([, input]) => input.value)
          .map(([name, input]) => [name, Number(input.value)]),
      ),
      seed: seed.value === "" ? null : Number(seed.value),
      min_confidence: sure.value === "" ? null : Number(sure.value),
      choices: choices.value
        .split("\n")
        .map((one) => one.trim())
        .filter(Boolean),
      approve_code: approve.checked,
      review_plans: review.checked,
    }),
  };
}

/** The first control within `element` that holds what it may not, in words; "" where there is none. */
function wrong(element) {
  const control = element.querySelector(":is(input, select, textarea):invalid");
  if (!control) return "";
  element.open = true;
  control.focus();
  return `${control.labels[0]?.textContent ?? "A field"}: ${control.validationMessage}`;
}

/** The strategy's own settings, loaded when it is chosen. */
function settingsPart() {
  const place = h("div");
  const element = fold("Settings of the strategy", { class: "inner" }, place);
  let form = null;
  let wanted = "";
  return {
    element,
    value: () => form?.value() ?? {},
    load: async (name) => {
      if (wanted === name) return;
      wanted = name;
      form = null;
      try {
        const { settings } = await call("GET", `strategies/${encodeURIComponent(name)}`);
        if (wanted !== name) return; // another was chosen meanwhile
        form = settingsForm(settings);
        place.replaceChildren(form.element);
      } catch (error) {
        if (!(error instanceof ApiFailure)) throw error;
        if (wanted !== name) return;
        wanted = ""; // it may be chosen again
        place.replaceChildren(h("p", { class: "wrong" }, error.message));
      }
    },
  };
}
