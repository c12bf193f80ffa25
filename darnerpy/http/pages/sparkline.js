// A line as small as a word: how something went lately.
//
// Owns the drawing; the numbers beside it say what it means, so that it is hidden from screen readers.

import { set, svg } from "./dom.js";

const WIDTH = 80;
const HEIGHT = 20;

export class Sparkline {
  constructor() {
    this.area = svg("path", { class: "area" });
    this.line = svg("path", { class: "line" });
    this.element = svg(
      "svg",
      {
        class: "sparkline",
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        preserveAspectRatio: "none",
        "aria-hidden": "true",
        focusable: "false",
      },
      this.area,
      this.line,
    );
  }

  /** values: oldest first. places: how many there would be if it were full. */
  draw(values, places) {
    const path = values.length < 2 ? "" : this.path(values, places);
    set(this.line, "d", path);
    set(this.area, "d", path && `${path}V${HEIGHT}H${this.x(places - values.length, places)}Z`);
  }

  x(at, places) {
    return Math.round((at / (places - 1)) * WIDTH * 10) / 10;
  }

  path(values, places) {
    const highest = Math.max(...values);
    const lowest = Math.min(...values);
    // From zero where that is near, else the range that is moved in: a long queue that grows is seen to.
    const floor = lowest < highest / 2 ? 0 : lowest;
    const range = highest - floor || 1;
    const top = highest === floor ? HEIGHT - 1 - (highest > 0) * (HEIGHT / 2 - 1) : 1.5;
    const skipped = places - values.length;
    return values
      .map((value, at) => {
        const y = highest === floor ? top : top + (1 - (value - floor) / range) * (HEIGHT - 3);
        return `${at ? "L" : "M"}${this.x(at + skipped, places)} ${Math.round(y * 10) / 10}`;
      })
      .join("");
  }
}
