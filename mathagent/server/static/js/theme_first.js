/* Sets the colours before anything is drawn: a plain script in the head, so that no dark page flashes white. */
try {
  const chosen = localStorage.getItem("mathagent.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  /* No storage: the system's colours. */
}
