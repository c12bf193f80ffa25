// The numbers of one queue, above all its parts.
//
// Owns which they are and how they read.

import { count, duration, exact, rate, size } from "./format.js";
import { el, set, setNumber } from "./dom.js";

const TILES = [
  ["Depth", "Items that wait", (page) => count(page.stats.items), (page) => exact(page.stats.items)],
  ["In/s", "Items put a second", (page, queue) => rate(queue?.in.value)],
  ["Out/s", "Items taken a second", (page, queue) => rate(queue?.out.value)],
  ["Open reads", "Items that somebody has and has not confirmed", (page) => count(page.stats.open)],
  ["Waiters", "Clients that wait for an item", (page) => count(page.stats.waiters)],
  ["Oldest", "Age of the oldest item that waits", (page) => duration(page.age)],
  ["Size", "Bytes of the items that wait", (page) => size(page.stats.bytes)],
  ["Disk", "Bytes that the journal takes", (page) => size(page.stats.disk)],
  ["Delayed", "Items that are held back until they are due", (page) => count(page.stats.delayed)],
  ["Expired", "Items whose time was over", (page) => count(page.stats.expired)],
  ["Dead", "Items that came back too often and were moved away", (page) => count(page.stats.dead)],
  ["Discarded", "Items thrown away to make room", (page) => count(page.stats.discarded)],
];

export class Tiles {
  constructor(page) {
    this.page = page;
    this.values = TILES.map(() => el("dd", {}, "…"));
    this.element = el(
      "dl",
      { class: "tiles", "aria-label": "Numbers of this queue" },
      TILES.map(([label, title], at) =>
        el("div", { class: "tile", title }, el("dt", {}, label), this.values[at]),
      ),
    );
  }

  update() {
    const queue = this.page.store.queue(this.page.key);
    TILES.forEach(([, , text, whole], at) => {
      setNumber(this.values[at], text(this.page, queue));
      if (whole) set(this.values[at], "title", whole(this.page));
    });
  }
}
