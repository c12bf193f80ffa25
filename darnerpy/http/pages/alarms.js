// What is wrong with the server or with some of its queues, in a line each, on top of every page: a queue that
// has failed may be on the last page of the table.
//
// Owns the words, and that each line is written, and so read out, only when what it says has changed.

import { el, set, setText } from "./dom.js";
import { some } from "./format.js";
import { toQueues } from "./route.js";

const STATUS = {
  quiescent:
    "The server’s status is quiescent: items can neither be put nor taken. What is open can still be confirmed.",
  readonly:
    "The server’s status is readonly: items can be taken, but none can be put, moved or purged, and no queue deleted.",
  writeavoid: "The server’s status is writeavoid: clients are asked to put nothing, but everything works.",
};
const BACK = " It stays so, also over a restart, until somebody sets it: darnerpy status up.";

/** The lines there may be, the worst first: [kind, what is counted, its text, of { stats, failed, paused }]. */
const LINES = [
  [
    "danger",
    "failed",
    ({ failed }) =>
      failed === 1
        ? "1 queue has failed: puts and gets of it are refused."
        : failed && `${some(failed, "queue")} have failed: puts and gets of them are refused.`,
  ],
  ["danger", null, ({ stats }) => stats.out_of_disk && "There is too little free disk: puts are refused."],
  ["warning", null, ({ stats }) => STATUS[stats.status] && STATUS[stats.status] + BACK],
  [
    "plain",
    "paused",
    ({ paused }) => paused && `${some(paused, "queue")} ${paused === 1 ? "is" : "are"} paused.`,
  ],
];

class Line {
  constructor([kind, counted, text]) {
    this.counted = counted;
    this.text = text;
    this.told = el("span");
    this.link = el("a", { href: toQueues({ show: "noted" }) });
    this.element = el("p", { class: kind, hidden: true }, this.told, " ", counted ? this.link : null);
  }

  update(now) {
    setText(this.told, this.text(now) || "");
    setText(this.link, now[this.counted] === 1 ? "Show it" : "Show them");
    set(this.element, "hidden", !this.told.textContent);
  }
}

export class Alarms {
  constructor(store) {
    this.store = store;
    this.lines = LINES.map((line) => new Line(line));
    // Not as a whole: a line that is there already is not news.
    this.element = el(
      "div",
      { class: "alarms", role: "status", "aria-atomic": "false", "aria-label": "What is wrong" },
      this.lines.map((line) => line.element),
    );
  }

  update() {
    const now = { stats: this.store.all.stats, failed: 0, paused: 0 };
    for (const { stats } of this.store.queues.values()) {
      if (stats.state === "failed") now.failed += 1;
      if (stats.paused.puts || stats.paused.gets) now.paused += 1;
    }
    for (const line of this.lines) line.update(now);
  }
}
