// The row of totals: the whole server at a glance.
//
// Owns which numbers are in it and how they read.

import { count, duration, exact, latency, rate, size } from "./format.js";
import { el, set, setNumber } from "./dom.js";
import { Sparkline } from "./sparkline.js";
import { TREND } from "./store.js";
import { recall } from "./trends.js";

const TOTALS = [
  [
    "Depth",
    "Items that wait in all queues",
    (store) => count(store.all.stats.items),
    (store) => exact(store.all.stats.items),
  ],
  ["In/s", "Items put a second", (store) => rate(store.all.in.value)],
  ["Out/s", "Items taken a second", (store) => rate(store.all.out.value)],
  ["Open reads", "Items that somebody has and has not confirmed", (store) => count(store.all.stats.open)],
  ["Waiters", "Clients that wait for an item", (store) => count(store.all.stats.waiters)],
  ["Oldest", "Age of the oldest item that waits", (store) => duration(store.all.stats.age)],
  ["Disk", "Bytes that the journals take", (store) => size(store.all.stats.disk)],
  ["Memory", "Resident memory of the server", (store) => size(store.all.stats.memory)],
  [
    "Commit p99",
    "99 of 100 commits were faster, of the last ones",
    (store) => latency(store.all.stats.commit),
  ],
];

export class Totals {
  constructor(store) {
    this.store = store;
    this.values = TOTALS.map(() => el("dd", {}, "…"));
    this.trend = new Sparkline();
    const tiles = TOTALS.map(([label, title], at) =>
      el("div", { class: "tile", title }, el("dt", {}, label), this.values[at]),
    );
    tiles[0].append(this.trend.element);
    this.element = el("dl", { class: "tiles totals", "aria-label": "Totals of all queues" }, tiles);
  }

  update() {
    if (!this.store.time) return;
    recall(this.store);
    TOTALS.forEach(([, , text, whole], at) => {
      setNumber(this.values[at], text(this.store));
      if (whole) set(this.values[at], "title", whole(this.store));
    });
    this.trend.draw(this.store.all.trend, TREND);
  }
}
