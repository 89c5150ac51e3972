"use strict";
(() => {
  const STEP = 100; // rows that are added at a time
  const MARKS = { correct: "✓", incorrect: "✗", undecided: "?", error: "!" };
  const GRADES = { correct: "good", incorrect: "bad", undecided: "unsure", error: "bad" };
  const byId = (id) => document.getElementById(id);
  const list = byId("list"), more = byId("more"), count = byId("count"), filters = byId("filters");
  const chips = byId("chips");

  /* The data of the page: compressed text, inflated when it is needed. */
  async function inflate(id) {
    const packed = atob(byId(id).textContent);
    const bytes = new Uint8Array(packed.length);
    for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  }
  const kept = new Map();
  function chunk(number) {
    if (!kept.has(number)) {
      if (kept.size >= 8) kept.delete(kept.keys().next().value);
      kept.set(number, inflate("traces-" + number).then((text) => text.split("\0")));
    }
    return kept.get(number);
  }

  let data, shown = [], drawn = 0, linked = null, inTraces = null, turn = 0;

  /* Filters: what they ask is part of the page's address, so that it can be passed on. */
  const FIELDS = ["q", "dataset", "subject", "level", "language", "arm", "outcome", "failure", "agree", "only", "sort"];
  const state = Object.fromEntries(FIELDS.map((name) => [name, ""]));
  state.traces = "";

  function readAddress() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const name of [...FIELDS, "traces"]) state[name] = wanted.get(name) ?? "";
    linked = wanted.get("item");
  }
  function writeAddress() {
    const parts = new URLSearchParams();
    for (const [name, value] of Object.entries(state)) if (value) parts.set(name, value);
    if (linked) parts.set("item", linked);
    const text = parts.toString();
    history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
  }
  function writeForm() {
    for (const field of filters.elements) {
      if (!field.name) continue;
      if (field.type === "checkbox") field.checked = state[field.name] === "1";
      else if (field.value !== state[field.name]) field.value = state[field.name];
    }
  }

  const attemptsOf = (item, arm) => (item.arms.find(([number]) => number === arm) ?? [0, []])[1];
  const rightShare = (attempts) => {
    const graded = attempts.filter(([outcome]) => outcome === "correct" || outcome === "incorrect");
    return graded.length ? graded.filter(([outcome]) => outcome === "correct").length / graded.length : null;
  };
  function words(item) {
    if (item.words === undefined) {
      const answers = item.arms.flatMap(([, attempts]) => attempts.map((one) => one[1] ?? ""));
      const all = [item.id, item.text, item.reference, item.subject, item.level, ...answers];
      item.words = all.join("\n").toLowerCase();
    }
    return item.words;
  }
  function agrees(item, wanted) {
    const shares = item.arms.map(([, attempts]) => rightShare(attempts)).filter((share) => share !== null);
    if (wanted === "right") return shares.length > 0 && shares.every((share) => share === 1);
    if (wanted === "wrong") return shares.length > 0 && shares.every((share) => share === 0);
    return new Set(shares).size > 1;
  }
  function wrongWhereOther(item, pair) {
    const [right, wrong] = pair.split(",").map((arm) => rightShare(attemptsOf(item, Number(arm))));
    return right !== null && wrong !== null && right > wrong;
  }
  function fits(item) {
    if (state.dataset && item.dataset !== Number(state.dataset)) return false;
    for (const name of ["subject", "level", "language"]) if (state[name] && item[name] !== state[name]) return false;
    if (state.arm || state.outcome || state.failure) {
      const arms = state.arm ? [[0, attemptsOf(item, Number(state.arm))]] : item.arms;
      const one = ([outcome, answer, failure]) =>
        (!state.outcome || (state.outcome === "none" ? answer === null : outcome === state.outcome)) &&
        (!state.failure || failure === state.failure);
      if (!arms.some(([, attempts]) => attempts.some(one))) return false;
    }
    if (state.agree && !agrees(item, state.agree)) return false;
    if (state.only && !wrongWhereOther(item, state.only)) return false;
    return !state.q || words(item).includes(state.q.toLowerCase()) || Boolean(inTraces?.has(item));
  }
  const total = (item, field) => item.arms.flatMap(([, all]) => all).reduce((sum, one) => sum + one[field], 0);
  const wrongs = (item) => item.arms.flatMap(([, all]) => all).filter(([outcome]) => outcome !== "correct").length;
  const ORDERS = {
    tokens: (a, b) => total(b, 3) - total(a, 3),
    seconds: (a, b) => total(b, 4) - total(a, 4),
    wrong: (a, b) => wrongs(b) - wrongs(a),
  };

  function refresh() {
    const started = performance.now();
    shown = data.items.filter(fits);
    if (ORDERS[state.sort]) shown.sort(ORDERS[state.sort]);
    const target = linked && data.items.find((item) => item.link === linked);
    if (target) shown = [target, ...shown.filter((item) => item !== target)];
    list.replaceChildren();
    drawn = 0;
    draw();
    const numbers = (n) => n.toLocaleString("en");
    count.textContent = shown.length === data.items.length
      ? `${numbers(shown.length)} items` : `${numbers(shown.length)} of ${numbers(data.items.length)} items`;
    drawChips();
    document.documentElement.dataset.filtered = (performance.now() - started).toFixed(1);
    if (target) openRow(list.firstElementChild);
  }
  function drawChips() {
    chips.replaceChildren();
    if (state.only) {
      const [right, wrong] = state.only.split(",").map((arm) => data.arms[Number(arm)]?.label ?? arm);
      chips.append(chip(`${right} better than ${wrong}`, () => { state.only = ""; }));
    }
    if (linked) chips.append(chip(`item ${linked} first`, () => { linked = null; }));
  }
  function chip(text, remove) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "chip";
    button.append(text, " ✕");
    button.setAttribute("aria-label", `${text}: remove`);
    button.addEventListener("click", () => { remove(); writeAddress(); refresh(); });
    return button;
  }

  /* Rows. Texts are set as text, never as markup. */
  const element = (name, css, text) => {
    const made = document.createElement(name);
    if (css) made.className = css;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  function verdict(number, attempts) {
    const right = attempts.filter(([outcome]) => outcome === "correct").length;
    const several = attempts.length > 1;
    const grade = several ? (right === attempts.length ? "good" : right ? "unsure" : "bad") : GRADES[attempts[0][0]];
    const pill = element("span", `pill verdict ${grade}`);
    const name = data.arms[number].name;
    pill.append(element("span", "arm-name", name), several ? ` ${right}/${attempts.length}` : ` ${MARKS[attempts[0][0]]}`);
    pill.title = several ? `${name}: ${right} of ${attempts.length} correct` : `${name}: ${attempts[0][0]}`;
    return pill;
  }
  function row(item) {
    const details = element("details", "card item");
    details.item = item;
    const summary = element("summary");
    const about = element("span", "grow");
    about.append(element("span", "text", item.text || item.id));
    const small = [item.id, item.subject, item.level].filter(Boolean).join(" · ");
    about.append(element("span", "about soft small", small));
    const verdicts = element("span", "verdicts");
    for (const [number, attempts] of item.arms) verdicts.append(verdict(number, attempts));
    summary.append(about, verdicts);
    details.append(summary);
    return details;
  }
  function draw() {
    const rows = document.createDocumentFragment();
    for (const item of shown.slice(drawn, drawn + STEP)) rows.append(row(item));
    drawn = Math.min(shown.length, drawn + STEP);
    list.append(rows);
    more.hidden = drawn >= shown.length;
    byId("none").hidden = shown.length > 0;
  }
  async function fill(details) {
    if (details.querySelector(":scope > .body")) return;
    const body = element("div", "body");
    body.append(element("p", "soft", "…"));
    details.append(body);
    const [number, place] = details.item.place;
    // Markup that mathagent made, every text in it escaped; the page's policy refuses any script within.
    body.innerHTML = (await chunk(number))[place];
    const link = element("a", "small", "Link to this item");
    link.href = "#item=" + encodeURIComponent(details.item.link);
    const last = element("p", "permalink");
    last.append(link);
    body.append(last);
  }
  function openRow(details) {
    details.open = true;
    fill(details).then(() => details.scrollIntoView({ block: "start" }));
  }
  list.addEventListener("toggle", (event) => {
    const details = event.target;
    if (details.item && details.open) fill(details);
  }, true);

  /* Search within the traces, too: chunk by chunk, so that the page stays alive; a newer search ends an older one. */
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;").replaceAll("'", "&#x27;");
  async function searchTraces() {
    const mine = ++turn;
    inTraces = null;
    if (!state.traces || !state.q) { refresh(); return; }
    const wanted = [state.q.toLowerCase(), escaped(state.q.toLowerCase())];
    const found = new Set();
    const groups = Map.groupBy ? Map.groupBy(data.items, (item) => item.place[0]) : group(data.items);
    for (const [number, items] of groups) {
      const texts = (await inflate("traces-" + number)).split("\0");
      if (mine !== turn) return;
      for (const item of items) {
        const text = texts[item.place[1]].replace(/<[^>]*>/g, "").toLowerCase();
        if (wanted.some((one) => text.includes(one))) found.add(item);
      }
      count.textContent = `searching the traces … ${Math.round((100 * (number + 1)) / data.chunks)}%`;
    }
    inTraces = found;
    refresh();
  }
  function group(items) {
    const groups = new Map();
    for (const item of items) groups.set(item.place[0], [...(groups.get(item.place[0]) ?? []), item]);
    return groups;
  }

  function readForm(field) {
    state[field.name] = field.type === "checkbox" ? (field.checked ? "1" : "") : field.value;
    linked = null;
    writeAddress();
    if (state.traces && state.q) searchTraces();
    else { turn++; inTraces = null; refresh(); }
  }
  let waiting;
  filters.addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => readForm(event.target), event.target.type === "search" ? 120 : 0);
  });
  filters.addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => {
    for (const name of Object.keys(state)) state[name] = "";
    linked = null; inTraces = null; turn++;
    writeForm(); writeAddress(); refresh();
  });
  more.addEventListener("click", () => {
    const next = drawn;
    draw();
    list.children[next]?.querySelector("summary").focus();
  });
  new IntersectionObserver((entries) => {
    if (data && entries.some((entry) => entry.isIntersecting) && !more.hidden) draw();
  }, { rootMargin: "800px" }).observe(more);

  addEventListener("hashchange", () => {
    const wanted = location.hash.slice(1);
    if (!wanted.includes("=")) return; // a section of the page
    readAddress();
    writeForm();
    searchTraces().then(() => { if (!linked) byId("items").scrollIntoView(); });
  });
  addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input, select, textarea");
    if (event.key === "Escape" && event.target.name === "q") { event.target.value = ""; readForm(event.target); return; }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { event.preventDefault(); filters.elements.q.focus(); }
    if (event.key === "j" || event.key === "k") {
      const rows = [...list.children];
      const at = rows.findIndex((one) => one.contains(document.activeElement));
      const next = rows[at < 0 ? 0 : at + (event.key === "j" ? 1 : -1)];
      next?.querySelector("summary").focus();
      next?.scrollIntoView({ block: "nearest" });
    }
  });

  /* Light, dark, or as the system has it. */
  const THEMES = ["", "dark", "light"];
  const theme = byId("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const root = document.documentElement;
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "") + 1) % THEMES.length];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    theme.textContent = `Colours: ${next || "as the system"}`;
  });

  if (typeof DecompressionStream === "undefined") {
    count.textContent = "This browser is too old to show the items: it cannot inflate them.";
    return;
  }
  inflate("index").then((text) => {
    data = JSON.parse(text);
    filters.hidden = false;
    readAddress();
    writeForm();
    const ready = state.traces && state.q ? searchTraces() : refresh();
    return Promise.resolve(ready).then(() => {
      document.documentElement.dataset.ready = performance.now().toFixed(0);
    });
  });
})();
