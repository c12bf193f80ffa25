// The first part of a queue's page: its charts.
//
// Owns what is taken from the stream for them.

import { Charts } from "./charts.js";
import { el } from "./dom.js";
import { replace, toQueue } from "./route.js";

/** What is not known stays unknown: a chart has a gap there. */
function seconds(ms) {
  return ms === undefined ? undefined : ms / 1000;
}

export class OverviewPart {
  constructor(page, parameters) {
    this.page = page;
    this.charts = new Charts(page.key, parameters.get("span") ?? "10m", (span) =>
      replace(toQueue(page.key, "overview", { span: span === "10m" ? "" : span })),
    );
    this.element = el("div", { class: "part" }, this.charts.element);
    this.end = page.store.watch(() => this.add());
  }

  add() {
    const { store, key } = this.page;
    const queue = store.queue(key);
    if (!queue) return;
    this.charts.add({
      time: Math.floor(store.time / 1000),
      items: queue.stats.items,
      puts: queue.in.last,
      gets: queue.out.last,
      age: seconds(store.age(queue)),
    });
  }

  again() {
    this.charts.load();
  }

  close() {
    this.end();
    this.charts.close();
  }
}
