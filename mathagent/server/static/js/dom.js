/** Elements. Texts become text nodes, and nothing here reads markup: what a model wrote cannot become any. */

/** An element; `attributes` are our own words, `on…` listeners. A child that is null or false is left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** A button that does `act`. */
export function button(words, act, attributes = {}) {
  return h("button", { type: "button", ...attributes, onclick: act }, words);
}

/** A field with its label and, below it, what it is for. */
export function field(label, control, about = "") {
  control.id ||= freshId("field");
  const note = about && h("p", { class: "about", id: `${control.id}-about` }, about);
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, note || null);
}

/** Something that opens: `summary` is text or nodes. */
export function fold(summary, attributes = {}, ...children) {
  return h("details", attributes, h("summary", {}, summary), ...children);
}

let count = 0;

/** An id that no other element has. */
export function freshId(name) {
  count += 1;
  return `${name}-${count}`;
}

/** Has `button` be pressed twice before it acts. */
export function sure(button, question, act) {
  const words = button.textContent;
  let timer = 0;
  const calm = () => {
    clearTimeout(timer);
    timer = 0;
    button.textContent = words;
  };
  button.addEventListener("click", () => {
    if (timer) {
      calm();
      act();
      return;
    }
    button.textContent = question;
    timer = setTimeout(calm, 5000);
  });
  button.addEventListener("blur", calm);
  return button;
}
