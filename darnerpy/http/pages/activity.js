// What was done to queues as a whole while somebody looked at this page, and by whom.
//
// Owns the line at the bottom: the last act in one line, the ones before it when it is opened.

import { bdi, el } from "./dom.js";
import { clock, moment } from "./format.js";
import { decoded, shown } from "./names.js";

const MOST = 100;

export class Activity {
  constructor() {
    this.last = el("span", { class: "last" }, "nothing yet");
    this.list = el("ol");
    this.element = el(
      "footer",
      {},
      el(
        "details",
        { class: "activity" },
        el("summary", {}, el("strong", {}, "Activity"), " ", this.last),
        el("p", { class: "hint" }, "Acts on whole queues while you look, newest first."),
        el("div", { class: "acts", role: "log", "aria-label": "Acts", tabindex: "0" }, this.list),
      ),
    );
  }

  add(told) {
    const line = this.line(told);
    this.last.replaceChildren(...line.cloneNode(true).childNodes);
    this.list.prepend(line);
    while (this.list.children.length > MOST) this.list.lastChild.remove();
  }

  line({ act, queue, consumer, who, time, ...more }) {
    const name = decoded(queue) + (consumer ? `+${decoded(consumer)}` : "");
    const rest = Object.entries(more)
      .filter(([, value]) => value !== null && value !== "")
      .map(
        ([key, value]) =>
          ` ${key}=${typeof value === "object" ? JSON.stringify(value) : shown(String(value))}`,
      );
    return el(
      "li",
      {},
      el("time", { datetime: new Date(time).toISOString(), title: moment(time) }, clock(time)),
      " ",
      el("strong", {}, act),
      " ",
      bdi(name),
      el("span", { class: "more" }, ...rest),
      el("span", { class: "who" }, ` by ${who}`),
    );
  }
}
