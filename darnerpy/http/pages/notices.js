// Short word of what was done, or could not be: in a corner, read out, and gone by itself.
//
// Owns how long each stays; one that tells of a failure, or of less than was asked for, stays until it is closed.

import { el } from "./dom.js";

const STAY = 6000;

export class Notices {
  constructor() {
    this.element = el("div", { class: "notices", role: "status", "aria-live": "polite" });
  }

  /** kind: "done", "warned" or "failed". */
  say(text, kind = "done") {
    const close = el("button", { type: "button", "aria-label": "Close this message" }, "×");
    const notice = el("div", { class: `notice ${kind}` }, el("p", {}, text), close);
    close.addEventListener("click", () => notice.remove());
    if (kind === "done") setTimeout(() => notice.remove(), STAY);
    this.element.append(notice);
    const done = this.element.querySelectorAll(".done");
    if (done.length > 4) done[0].remove();
  }
}
