// The part of a queue's page that has its settings, each with where it comes from.
//
// Owns the table; what settings mean is in the documentation.

import { el } from "./dom.js";

/** A name that goes on in the next line behind an underscore, where there is no room for it. */
function breakable(name) {
  return name.split(/(?<=_)/).flatMap((part) => [part, el("wbr")]);
}

export class SettingsPart {
  constructor(page) {
    this.page = page;
    this.body = el("tbody");
    this.all = el("input", {
      type: "checkbox",
      id: "all-settings",
      checked: true,
      onchange: () => this.show(),
    });
    this.table = el(
      "table",
      { class: "settings" },
      el("caption", { class: "unseen" }, "Settings of the queue"),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ["Setting", "Value", "From"].map((label) => el("th", { scope: "col" }, label)),
        ),
      ),
      this.body,
    );
    this.none = el("p", { class: "empty", hidden: true }, "All settings of this queue are defaults.");
    this.loading = el("p", { class: "loading" }, "Waiting for the server …");
    this.element = el(
      "section",
      { class: "part panel", "aria-labelledby": "settings" },
      el(
        "div",
        { class: "panel-head" },
        el("h2", { id: "settings" }, "Settings"),
        el("div", { class: "field row" }, this.all, el("label", { for: "all-settings" }, "Defaults, too")),
      ),
      this.loading,
      this.table,
      this.none,
    );
    this.show();
  }

  looked() {
    this.show();
  }

  show() {
    const settings = Object.entries(this.page.detail?.settings ?? {});
    this.loading.hidden = settings.length > 0 || this.page.absent;
    const noted = JSON.stringify([settings, this.all.checked]);
    if (noted === this.noted) return;
    this.noted = noted;
    const wanted = settings.filter(([, setting]) => this.all.checked || setting.from !== "default");
    this.table.hidden = wanted.length === 0;
    this.none.hidden = settings.length === 0 || wanted.length > 0;
    this.body.replaceChildren(
      ...wanted.map(([name, { value, from }]) =>
        el(
          "tr",
          { class: from === "default" ? "default" : null },
          el("th", { scope: "row" }, breakable(name)),
          el("td", {}, el("code", {}, typeof value === "string" ? value || "–" : JSON.stringify(value))),
          el("td", {}, from),
        ),
      ),
    );
  }
}
