/** The settings of a strategy as fields, made from their JSON schema. What is left empty stays as it is. */

import { field, h } from "./dom.js";

/** {element, value()}: `schema` is that of /v1/strategies/NAME. Settings that are no single value are left out. */
export function settingsForm(schema) {
  const fields = Object.entries(schema.properties ?? {}).map(([name, about]) =>
    settingField(name, about, schema.$defs ?? {}),
  );
  const shown = fields.filter(Boolean);
  return {
    element: h(
      "div",
      { class: "grid" },
      shown.map((one) => one.element),
    ),
    value: () =>
      Object.fromEntries(
        shown.map((one) => [one.name, one.value()]).filter(([, value]) => value !== undefined),
      ),
  };
}

function settingField(name, about, defs) {
  const type = plain(about, defs);
  const make = type.enum ? choice : { integer: number, number, boolean: yesOrNo, string: words }[type.type];
  if (!make) return null;
  const { control, value } = make(type, about.default);
  return { name, value, element: field(name.replaceAll("_", " "), control, about.description ?? "") };
}

/** The one type behind references and "or null". */
function plain(schema, defs) {
  if (schema.$ref) return plain(defs[schema.$ref.split("/").at(-1)] ?? {}, defs);
  const others = schema.anyOf?.filter((one) => one.type !== "null") ?? [];
  return others.length === 1 ? plain(others[0], defs) : schema;
}

function number(type, fallback) {
  const whole = type.type === "integer";
  const control = h("input", {
    type: "number",
    inputmode: whole ? "numeric" : "decimal",
    step: whole ? 1 : "any",
    min: type.minimum ?? type.exclusiveMinimum,
    max: type.maximum ?? type.exclusiveMaximum,
    placeholder: fallback ?? "by itself",
  });
  return { control, value: () => (control.value === "" ? undefined : Number(control.value)) };
}

function words(type, fallback) {
  const control = h("input", { type: "text", placeholder: fallback || "none", maxlength: 4000 });
  return { control, value: () => control.value.trim() || undefined };
}

function yesOrNo(type, fallback) {
  return choice({ enum: [true, false] }, fallback, (one) => (one ? "yes" : "no"));
}

function choice(type, fallback, wordsOf = String) {
  const usual = h(
    "option",
    { value: "" },
    fallback === null || fallback === undefined ? "by itself" : `${wordsOf(fallback)} (usual)`,
  );
  const control = h(
    "select",
    {},
    usual,
    type.enum.map((one, index) => h("option", { value: index }, wordsOf(one))),
  );
  return { control, value: () => (control.value === "" ? undefined : type.enum[Number(control.value)]) };
}
