// How far down one was on each page that was opened, so that the way back leads to the same rows.
//
// Owns the mark that each step of the history has for that.

const positions = new Map();
let step = null;

window.addEventListener("scroll", () => positions.set(step, window.scrollY), { passive: true });

/** A page was opened: a new one begins at the top. */
export function arrive() {
  step = history.state?.step ?? Date.now();
  history.replaceState({ step }, "");
  window.scrollTo(0, positions.get(step) ?? 0);
}
