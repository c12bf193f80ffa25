// The page of the whole server: its totals over time, and what it is.
//
// Owns which facts are shown of it.

import { Charts } from "./charts.js";
import { el, set, setText } from "./dom.js";
import { duration } from "./format.js";
import { replace } from "./route.js";
import { Totals } from "./totals.js";

/** [label, its text] each; what is not known is left out. */
const FACTS = [
  ["Version", ({ version }) => version],
  ["Status", ({ status }) => status],
  ["Up for", ({ uptime }) => uptime !== undefined && duration(uptime * 1000)],
  ["Process", ({ pid }) => pid && String(pid)],
  ["Listens on", ({ listen }) => listen?.join(", ")],
  [
    "Changes over HTTP",
    ({ read_only }) => read_only !== undefined && (read_only ? "no: http_read_only" : "allowed"),
  ],
];

export class ServerPage {
  constructor(context, parameters) {
    this.title = "Server";
    this.context = context;
    this.store = context.store;
    this.totals = new Totals(this.store);
    this.charts = new Charts(null, parameters.get("span") ?? "10m", (span) =>
      replace(`#/server${span === "10m" ? "" : `?span=${span}`}`),
    );
    this.facts = FACTS.map(() => el("dd"));
    this.element = el(
      "div",
      { class: "page" },
      el("h1", { tabindex: "-1", class: "unseen" }, "Server"),
      this.totals.element,
      this.charts.element,
      el(
        "section",
        { class: "panel", "aria-labelledby": "about" },
        el("h2", { id: "about" }, "About"),
        el(
          "dl",
          { class: "facts" },
          FACTS.map(([label], at) => el("div", {}, el("dt", {}, label), this.facts[at])),
        ),
      ),
    );
    this.end = this.store.watch(() => this.add());
  }

  add() {
    const { store } = this;
    this.charts.add({
      time: Math.floor(store.time / 1000),
      items: store.all.stats.items,
      puts: store.all.in.last,
      gets: store.all.out.last,
      age: store.all.stats.age / 1000,
    });
  }

  update() {
    this.totals.update();
    // The stream is newer, and the answer says more.
    const now = { ...this.context.server, ...this.store.all.stats };
    FACTS.forEach(([, text], at) => {
      setText(this.facts[at], text(now) || "");
      set(this.facts[at].parentElement, "hidden", !this.facts[at].textContent);
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
