// The bar at the top: where one is, what server this is, and whether it is still being heard.
//
// Owns how the state of the connection reads. What is on the page is from before, while it is lost.

import { Alarms } from "./alarms.js";
import { clock } from "./format.js";
import { el, set, setText } from "./dom.js";

export class Header {
  /** hurry: asks for another try at once. */
  constructor(context, hurry) {
    this.context = context;
    this.now = { is: "connecting" };
    this.links = [
      ["queues", el("a", { href: "#/" }, "Queues")],
      ["server", el("a", { href: "#/server" }, "Server")],
    ];
    this.alarms = new Alarms(context.store);
    this.version = el("span", { class: "version" });
    this.warnings = el("span", { class: "badges" });
    this.word = el("span", {}, "Connecting");
    this.light = el("span", { class: "connection", "data-state": "connecting", role: "status" }, this.word);
    this.why = el("span");
    this.when = el("span");
    // The rest of the line counts seconds, which nobody wants read out.
    const alert = el("strong", { role: "alert" }, "The connection to the server is lost. ");
    this.lost = el(
      "div",
      { class: "lost", hidden: true },
      el("p", {}, alert, this.why, " ", this.when),
      el("button", { type: "button", onclick: hurry }, "Try now"),
    );
    this.element = el(
      "header",
      {},
      el(
        "div",
        { class: "bar" },
        el("a", { class: "brand", href: "#/" }, "darnerpy"),
        this.version,
        el(
          "nav",
          { "aria-label": "Pages" },
          this.links.map(([, link]) => link),
        ),
        this.warnings,
        this.light,
      ),
      this.lost,
      this.alarms.element,
    );
  }

  at(page) {
    for (const [name, link] of this.links) set(link, "aria-current", name === page && "page");
  }

  state(now) {
    this.now = now;
    const lost = now.is === "lost" || (now.is === "again" && !this.lost.hidden);
    set(this.light, "data-state", now.is === "open" ? "open" : lost ? "lost" : "connecting");
    setText(this.word, now.is === "open" ? "Live" : lost ? "Connection lost" : "Connecting");
    clearInterval(this.timer);
    if (now.is === "lost") {
      const { time } = this.context.store;
      setText(this.why, `${now.error.message}${time ? ` All numbers are from ${clock(time)}.` : ""}`);
      this.timer = setInterval(() => this.tick(), 250);
      this.tick();
    }
    if (now.is === "again") setText(this.when, "Trying again now.");
    this.lost.hidden = !lost;
  }

  tick() {
    const seconds = Math.max(0, Math.ceil((this.now.until - Date.now()) / 1000));
    setText(this.when, `Trying again in ${seconds} s.`);
  }

  update() {
    const { server, store } = this.context;
    this.alarms.update();
    setText(this.version, server.version ?? "");
    const found = [];
    if (server.read_only)
      found.push(["HTTP changes nothing", "plain", "http_read_only is set: nothing can be changed over HTTP"]);
    const status = store.all.stats.status ?? server.status ?? "up";
    if (status !== "up") found.push([`status ${status}`, "warning", "The server’s status, for all clients"]);
    if (store.all.stats.out_of_disk) found.push(["out of disk", "danger", "puts are refused"]);
    if (store.all.stats.loading) found.push(["loading", "plain", "not all queues are known yet"]);
    const noted = JSON.stringify(found);
    if (noted === this.noted) return;
    this.noted = noted;
    this.warnings.replaceChildren(
      ...found.map(([word, kind, title]) => el("span", { class: `badge ${kind}`, title }, word)),
    );
  }
}
