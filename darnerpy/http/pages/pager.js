// The line below a table that is shown in pages: which of it is there, and the buttons that lead on.
//
// Owns that whoever presses one with the keyboard stays there when it leads nowhere any more.

import { el, set, setText } from "./dom.js";

export class Pager {
  /** back, on: what the two buttons do. beside: what stands before them. more: buttons behind them. */
  constructor(label, { back, on, beside = null, more = null }) {
    this.range = el("span", { class: "range", role: "status" });
    this.before = el("button", { type: "button", onclick: back }, "Previous");
    this.after = el("button", { type: "button", onclick: on }, "Next");
    this.element = el(
      "nav",
      { class: "pager", "aria-label": label },
      this.range,
      beside,
      el("div", { class: "buttons" }, this.before, this.after, more),
    );
  }

  tell(text) {
    setText(this.range, text);
  }

  /** Whether there is anything before, and after. */
  lead(before, after) {
    const pressed = [this.before, this.after].find((button) => button === document.activeElement);
    set(this.before, "disabled", !before);
    set(this.after, "disabled", !after);
    if (!pressed?.disabled) return;
    (pressed === this.after ? this.before : this.after).focus();
  }
}
