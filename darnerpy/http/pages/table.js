// The table of queues: one page of them, in order, kept up to date cell by cell.
//
// Owns the rows that are on the screen. They are used again for other queues rather than made anew, and only
// cells whose text differs are touched: a thousand queues cost as much as one page of them.

import { badges, COLUMNS, comparing } from "./columns.js";
import { el, set, setNumber, setText } from "./dom.js";
import { toQueue } from "./route.js";
import { Sparkline } from "./sparkline.js";
import { TREND } from "./store.js";
import { Trends } from "./trends.js";

const REST = 3000; // so long rows keep their places, at least

class Row {
  constructor() {
    this.key = null;
    this.link = el("a", { class: "name" });
    this.badges = el("span", { class: "badges" });
    this.noted = "";
    this.trend = new Sparkline();
    this.cells = COLUMNS.map((column) => {
      const wide = column.from ?? null;
      if (column.name)
        return el("th", { scope: "row" }, el("div", { class: "named" }, this.link, this.badges));
      if (column.trend) return el("td", { class: `trend ${wide ?? ""}` }, this.trend.element);
      return el("td", { class: wide });
    });
    this.element = el("tr", {}, this.cells);
  }

  show(queue, store) {
    const same = this.key === queue.key;
    this.key = queue.key;
    COLUMNS.forEach((column, at) => {
      const cell = this.cells[at];
      if (column.name) this.name(queue, column.value(queue));
      else if (column.trend) this.trend.draw(queue.trend, TREND);
      else {
        const value = column.value(queue, store);
        const changed = setNumber(cell, column.text(value)) && same && column.marked;
        if (column.hint) set(cell, "title", column.hint(queue, store));
        if (column.marked) set(cell, "data-changed", changed);
      }
    });
  }

  name(queue, text) {
    if (setText(this.link, text)) set(this.link, "title", text);
    set(this.link, "href", toQueue(queue.key));
    const found = badges(queue.stats);
    const noted = JSON.stringify(found);
    if (noted === this.noted) return;
    this.noted = noted;
    this.badges.replaceChildren(...found.map(([word, kind]) => el("span", { class: `badge ${kind}` }, word)));
  }
}

export class Table {
  /** sorted: told the column and whether it runs down, when another one was chosen. */
  constructor(store, sorted) {
    this.store = store;
    this.sorted = sorted;
    this.trends = new Trends(store);
    this.rows = [];
    this.order = [];
    this.ordered = 0;
    this.held = false;
    this.column = COLUMNS[0];
    this.down = false;
    this.heads = COLUMNS.map((column) => this.head(column));
    this.body = el("tbody");
    this.body.addEventListener("pointerenter", () => (this.held = true));
    this.body.addEventListener("pointerleave", () => (this.held = false));
    this.element = el(
      "table",
      { class: "queues" },
      el("caption", { class: "unseen" }, "Queues, one a row; the buttons in the first row sort it"),
      el("thead", {}, el("tr", {}, this.heads)),
      this.body,
    );
  }

  head(column) {
    const wide = [column.from, column.middling && "middling"].filter(Boolean).join(" ") || null;
    if (column.trend) return el("th", { scope: "col", class: `trend ${wide ?? ""}` }, column.label);
    const button = el(
      "button",
      { type: "button", title: column.title, onclick: () => this.choose(column) },
      column.label,
    );
    return el("th", { scope: "col", class: wide }, button);
  }

  /** The column that is chosen again turns round; numbers begin with the largest. */
  choose(column) {
    this.sort(column.key, column === this.column ? !this.down : !column.name);
    this.sorted(this.column.key, this.down);
  }

  sort(key, down) {
    this.column = COLUMNS.find((column) => column.key === key && column.value) ?? COLUMNS[0];
    this.down = down;
    this.ordered = 0;
    COLUMNS.forEach((column, at) => {
      set(this.heads[at], "aria-sort", column === this.column && (down ? "descending" : "ascending"));
    });
  }

  /**
   * Which queues there are in what order; asked anew when it may have changed and nobody is pointing. Who is
   * does not find another queue in the place: new ones come behind the others meanwhile.
   */
  arrange(wanted, now) {
    const { queues } = this.store;
    const same = this.ordered && this.wanted === wanted;
    const pointed = same && (this.held || this.body.contains(document.activeElement));
    if ((pointed || (same && now - this.ordered < REST)) && this.store.turnover === this.turnover) return;
    const found = [...queues.values()].filter(wanted).sort(comparing(this.column, this.store, this.down));
    const kept = new Set(pointed ? this.order.filter((queue) => queues.get(queue.key) === queue) : []);
    this.order = [...kept, ...found.filter((queue) => !kept.has(queue))];
    this.wanted = wanted;
    this.turnover = this.store.turnover;
    this.ordered = now;
  }

  /** Rows `first` up to `first + most` of the order. */
  show(first, most) {
    const queues = this.order.slice(first, first + most).filter((queue) => this.store.queues.has(queue.key));
    while (this.rows.length < queues.length) {
      const row = new Row();
      this.rows.push(row);
      this.body.append(row.element);
    }
    while (this.rows.length > queues.length) this.rows.pop().element.remove();
    queues.forEach((queue, at) => this.rows[at].show(this.store.queues.get(queue.key), this.store));
    this.trends.see(queues.map((queue) => queue.key));
  }
}
