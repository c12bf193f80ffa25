// The part of a queue's page that has its consumers: where each stands, and how far behind it is.
//
// Owns the table; making and dropping one are acts.

import { drop, make } from "./acts.js";
import { el, set, setNumber, setText } from "./dom.js";
import { count, duration, exact, size } from "./format.js";
import { shown } from "./names.js";

const COLUMNS = [
  ["Lag", "Items that wait for it", (consumer) => count(consumer.items)],
  ["Size", "Bytes of them", (consumer) => size(consumer.bytes), "small"],
  ["Oldest", "Age of the oldest of them", (consumer) => duration(consumer.age)],
  ["Open", "Items that somebody has and has not confirmed", (consumer) => count(consumer.open), "small"],
  ["Waiters", "Clients that wait for an item", (consumer) => count(consumer.waiters), "small"],
  ["Delayed", "Items that are held back until they are due", (consumer) => count(consumer.delayed), "medium"],
  ["Expired", "Items whose time was over", (consumer) => count(consumer.expired), "medium"],
  [
    "Dead",
    "Items that came back too often and were moved away",
    (consumer) => count(consumer.dead),
    "medium",
  ],
];

class Row {
  constructor(part) {
    this.part = part;
    this.name = el("th", { scope: "row" });
    this.cells = COLUMNS.map(([, , , wide]) => el("td", { class: wide ?? null }));
    this.drop = el(
      "button",
      { type: "button", class: "danger", onclick: () => this.part.drop(this.consumer) },
      "Drop…",
    );
    this.last = el("td", { class: "acts" }, this.drop);
    this.element = el("tr", {}, this.name, this.cells, this.last);
  }

  show(consumer, readOnly) {
    this.consumer = consumer;
    const text = consumer.name ? shown(consumer.text) : "the queue itself";
    if (setText(this.name, text)) set(this.drop, "aria-label", `Drop ${text}…`);
    this.name.classList.toggle("own", !consumer.name);
    COLUMNS.forEach(([, , said], at) => setNumber(this.cells[at], said(consumer)));
    set(this.cells[0], "title", exact(consumer.items));
    this.drop.hidden = !consumer.name;
    set(this.drop, "disabled", readOnly);
  }
}

export class ConsumersPart {
  constructor(page) {
    this.page = page;
    this.rows = [];
    this.make = el(
      "button",
      { type: "button", onclick: async () => (await make(page)) && page.look() },
      "Make a consumer…",
    );
    this.body = el("tbody");
    this.none = el(
      "p",
      { class: "hint" },
      "There is no named consumer. One reads the same items on its own: get queue+name, or ?consumer=name.",
    );
    this.element = el(
      "section",
      { class: "part panel", "aria-labelledby": "consumers" },
      el("div", { class: "panel-head" }, el("h2", { id: "consumers" }, "Consumers"), this.make),
      el(
        "table",
        { class: "consumers" },
        el("caption", { class: "unseen" }, "Consumers of the queue and how far behind each is"),
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("th", { scope: "col" }, "Consumer"),
            COLUMNS.map(([label, title, , wide]) =>
              el("th", { scope: "col", title, class: wide ?? null }, label),
            ),
            el("td", { class: "acts" }),
          ),
        ),
        this.body,
      ),
      this.none,
    );
  }

  async drop(consumer) {
    if (!(await drop(this.page, consumer))) return;
    this.make.focus(); // the row goes, and another one may come to where it was
    this.page.look();
  }

  update() {
    const own = { ...this.page.stats, age: this.page.age, name: "" };
    const consumers = [own, ...this.page.consumers];
    while (this.rows.length < consumers.length) {
      const row = new Row(this);
      this.rows.push(row);
      this.body.append(row.element);
    }
    while (this.rows.length > consumers.length) this.rows.pop().element.remove();
    // What is known of a queue that has failed is from before.
    const then = this.page.failed ? { age: undefined } : {};
    consumers.forEach((consumer, at) => this.rows[at].show({ ...consumer, ...then }, this.page.readOnly));
    this.none.hidden = consumers.length > 1;
    set(this.make, "disabled", this.page.readOnly || !this.page.detail);
  }
}
