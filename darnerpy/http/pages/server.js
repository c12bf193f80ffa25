// The page of the whole server: its totals over time, and what it is.
//
// Owns which facts are shown of it.

import { Charts } from "./charts.js";
import { el } from "./dom.js";
import { duration } from "./format.js";
import { replace } from "./route.js";
import { Totals } from "./totals.js";

export class ServerPage {
  constructor(context, parameters) {
    this.title = "Server";
    this.context = context;
    this.store = context.store;
    this.totals = new Totals(this.store);
    this.charts = new Charts(null, parameters.get("span") ?? "10m", (span) =>
      replace(`#/server${span === "10m" ? "" : `?span=${span}`}`),
    );
    this.facts = el("dl", { class: "facts" });
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
        this.facts,
      ),
    );
    this.end = this.store.watch(() => this.add());
    this.learned();
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

  learned() {
    const { server } = this.context;
    const facts = [
      ["Version", server.version],
      ["Status", server.status],
      ["Up for", server.uptime === undefined ? undefined : duration(server.uptime * 1000)],
      ["Process", server.pid],
      ["Listens on", server.listen?.join(", ")],
      [
        "Changes over HTTP",
        server.read_only === undefined ? undefined : server.read_only ? "no: http_read_only" : "allowed",
      ],
    ].filter(([, value]) => value !== undefined);
    this.facts.replaceChildren(
      ...facts.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, String(value)))),
    );
  }

  update() {
    this.totals.update();
  }

  again() {
    this.charts.load();
  }

  close() {
    this.end();
    this.charts.close();
  }
}
