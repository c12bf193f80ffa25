// How things went, as the server remembers it: the numbers behind the charts.
//
// Owns the shape in which charts get them: columns of equal length, oldest first, null where nothing is
// known. What happens while one looks is added from the stream.

import { Encoded, json } from "./api.js";

export const SPANS = {
  "10m": { label: "10 minutes", seconds: 600, again: 600_000 },
  "24h": { label: "24 hours", seconds: 86_400, again: 60_000 },
};

const NAMES = ["time", "items", "puts", "gets", "age"];

export class History {
  /** queue: its encoded name, null for the whole server. */
  constructor(queue, span) {
    this.queue = queue;
    this.span = span;
    this.step = 1;
    this.detail = "fine";
    this.columns = NAMES.map(() => []);
  }

  /** When to load it anew, in milliseconds: fine spans are added to meanwhile. */
  get again() {
    return this.step > 1 ? Math.min(60, this.step) * 1000 : SPANS[this.span].again;
  }

  async load(signal) {
    const parameters = { queue: this.queue && new Encoded(this.queue), range: this.span };
    const told = await json("GET", "v1/history", { parameters, signal });
    this.step = told.step;
    this.detail = told.detail;
    if (told.detail === "none") this.pause();
    else this.columns = NAMES.map((name) => told[name]);
  }

  /** Nothing is kept, so what was seen stays, with a gap behind it. */
  pause() {
    const last = this.columns[0].at(-1);
    if (last !== undefined) this.columns.forEach((column, at) => column.push(at ? null : last));
  }

  /** A moment more, of a span that is that fine; the oldest one goes. */
  add(values) {
    const [times] = this.columns;
    const last = times.at(-1) ?? 0;
    if (this.step > 1 || values.time <= last) return false;
    NAMES.forEach((name, at) => this.columns[at].push(values[name] ?? null));
    const oldest = values.time - SPANS[this.span].seconds;
    while (times.length && times[0] < oldest) for (const column of this.columns) column.shift();
    return true;
  }
}
