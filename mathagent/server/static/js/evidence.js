/** The certificate of a solution: its checks, and running them again. */

import { ApiFailure, call } from "./api.js";
import { button, h } from "./dom.js";
import { checkPart, isWeak } from "./parts.js";
import { counted } from "./words.js";

const RESULTS = {
  holds: ["good", "It holds: a strong check holds, and none fails."],
  fails: ["bad", "It fails: at least one check fails now."],
  undecided: ["unsure", "Nothing is decided: no strong check holds."],
};

/** The section on the evidence for `solution`. */
export function evidence(solution) {
  const checks = solution.certificate;
  if (!checks.length) {
    return h(
      "section",
      { class: "evidence" },
      h("h3", {}, "Evidence"),
      h("p", { class: "soft" }, "No check supports this answer: nothing could be executed against it."),
    );
  }
  const list = h(
    "div",
    { class: "checks" },
    checks.map((one) => checkPart(one)),
  );
  const result = h("p", { class: "verified", role: "status" });
  const again = button("Run the checks again", async () => {
    again.disabled = true;
    result.className = "verified";
    result.textContent = "Running…";
    try {
      const { checks: now, result: outcome } = await call("POST", `solutions/${solution.solve_id}/verify`);
      const opened = [...list.children].map((one) => one.open);
      list.replaceChildren(...now.map((one, index) => checkPart(one, { open: opened[index] })));
      const [tone, words] = RESULTS[outcome];
      result.classList.add(tone);
      result.textContent = `Run again just now. ${words}`;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      result.classList.add("bad");
      result.textContent = error.message;
    } finally {
      again.disabled = false;
    }
  });
  const holding = checks.filter((one) => one.outcome === "holds").length;
  return h(
    "section",
    { class: "evidence" },
    h(
      "div",
      { class: "row between" },
      h(
        "h3",
        {},
        `Evidence: ${holding} of ${counted(checks.length, "check")} ${holding === 1 ? "holds" : "hold"}`,
      ),
      again,
    ),
    result,
    list,
  );
}

/** Whether executed checks speak for the answer: a strong one holds, and none fails. */
export function supported({ certificate }) {
  return (
    certificate.some((one) => one.outcome === "holds" && !isWeak(one)) &&
    !certificate.some((one) => one.outcome === "fails")
  );
}
