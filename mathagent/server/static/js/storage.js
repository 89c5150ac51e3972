/** What the browser keeps for this page; where it keeps nothing, it lasts as long as the page. */

const PREFIX = "mathagent.";
const here = new Map();

/** What is kept as `name`, for this tab or for longer; null where nothing is. */
export function recall(name) {
  for (const store of stores()) {
    const value = store.getItem(PREFIX + name);
    if (value !== null) return value;
  }
  return here.get(name) ?? null;
}

/** Keeps `value` as `name`; `forTab`: until the tab is closed. */
export function keep(name, value, { forTab = false } = {}) {
  forget(name);
  const [tab, longer] = stores();
  try {
    (forTab ? tab : longer).setItem(PREFIX + name, value);
  } catch {
    here.set(name, value);
  }
}

/** Keeps nothing as `name` any more. */
export function forget(name) {
  here.delete(name);
  for (const store of stores()) store.removeItem(PREFIX + name);
}

function stores() {
  try {
    return [sessionStorage, localStorage];
  } catch {
    return [];
  }
}
