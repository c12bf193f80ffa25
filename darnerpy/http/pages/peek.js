// Looks at the items of a queue without taking any: any range of them, in four views.
//
// Owns which range is shown; it is in the address. Items move on while one looks, so it says when it looked.

import { ask, Encoded, of } from "./api.js";
import { el, set, setText } from "./dom.js";
import { save } from "./download.js";
import { clock, duration, exact, size, some } from "./format.js";
import { bytesOf, glimpse, view, VIEWS } from "./data.js";
import { shown } from "./names.js";
import { Pager } from "./pager.js";
import { replace, toQueue } from "./route.js";

const COUNTS = [10, 25, 50, 100];
const GLANCE = "64KiB"; // of each item; more of it nobody reads here

export class Peek {
  constructor(page, parameters, download) {
    this.page = page;
    this.newest = parameters.get("from") === "newest"; // those that were put last, wherever they are
    this.offset = Math.max(0, Number.parseInt(parameters.get("from"), 10) || 0);
    this.count = COUNTS.find((count) => String(count) === parameters.get("n")) ?? 10;
    this.consumer = parameters.get("consumer") ?? "";
    this.as = parameters.get("as") in VIEWS ? parameters.get("as") : "auto";
    this.items = [];
    this.refused = this.failed = false; // what was asked for last, since the journal had failed
    this.download = download;
    this.build();
    this.load();
  }

  build() {
    this.from = el("input", {
      type: "number",
      id: "from",
      min: 0,
      step: 1,
      value: this.newest ? "" : this.offset,
      inputmode: "numeric",
      placeholder: "newest",
      onchange: () => this.go(Math.max(0, Math.floor(this.from.valueAsNumber) || 0)),
    });
    this.counts = el(
      "select",
      {
        id: "count",
        onchange: () => {
          this.count = Number(this.counts.value);
          this.go(this.newest ? "newest" : this.offset);
        },
      },
      COUNTS.map((count) => el("option", { value: count, selected: count === this.count }, String(count))),
    );
    this.views = el(
      "select",
      {
        id: "view",
        onchange: () => {
          this.as = this.views.value;
          this.remember();
          this.show();
        },
      },
      Object.entries(VIEWS).map(([key, label]) =>
        el("option", { value: key, selected: key === this.as }, label),
      ),
    );
    this.whose = el("select", {
      id: "consumer",
      onchange: () => {
        this.consumer = this.whose.value;
        this.go(0);
      },
    });
    this.whoseField = el("div", { class: "field" }, el("label", { for: "consumer" }, "For"), this.whose);
    this.pager = new Pager("Pages of items", {
      back: () => this.go(Math.max(0, this.begin - this.count)),
      on: () => this.go(this.offset + this.items.length),
      more: el("button", { type: "button", onclick: () => this.go("newest") }, "Newest"),
    });
    this.fresh = el("button", { type: "button", onclick: () => this.load() }, "Refresh");
    this.body = el("tbody");
    this.table = el(
      "table",
      { class: "peek" },
      el("caption", { class: "unseen" }, "Items of the queue, each with a button that shows its data"),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ["Id", "Age", "Attempts", "Flags", "Size", "Data"].map((label) =>
            el(
              "th",
              {
                scope: "col",
                class: label === "Data" ? "data" : label === "Flags" || label === "Attempts" ? "small" : null,
              },
              label,
            ),
          ),
        ),
      ),
      this.body,
    );
    this.empty = el("p", { class: "empty", hidden: true });
    this.delayed = el("p", { class: "hint delayed", hidden: true });
    this.trouble = el("p", { class: "problem", role: "alert", hidden: true });
    this.element = el(
      "section",
      { class: "panel", "aria-labelledby": "items" },
      el("div", { class: "panel-head" }, el("h2", { id: "items" }, "Items"), this.download.element),
      el(
        "div",
        { class: "toolbar" },
        el("div", { class: "field" }, el("label", { for: "from" }, "Offset"), this.from),
        el("div", { class: "field" }, el("label", { for: "count" }, "How many"), this.counts),
        this.whoseField,
        el("div", { class: "field" }, el("label", { for: "view" }, "Show data as"), this.views),
        this.fresh,
      ),
      this.download.progress,
      this.trouble,
      this.delayed,
      this.table,
      this.empty,
      this.pager.element,
    );
    this.looked();
  }

  /** The consumers may be others now. */
  looked() {
    const names = this.page.consumers.map((consumer) => consumer.name);
    if (this.consumer && !names.includes(this.consumer)) names.push(this.consumer);
    this.whoseField.hidden = names.length === 0;
    const noted = names.join(" ");
    if (noted === this.noted) return;
    this.noted = noted;
    const texts = Object.fromEntries(
      this.page.consumers.map((consumer) => [consumer.name, shown(consumer.text)]),
    );
    this.whose.replaceChildren(
      el("option", { value: "" }, "the queue itself"),
      ...names.map((name) =>
        el("option", { value: name, selected: name === this.consumer }, texts[name] ?? name),
      ),
    );
    this.download.consumer = this.consumer;
  }

  /** How many there are to look at, as far as is known. */
  get total() {
    const { items, delayed = 0 } = this.page.consumer(this.consumer) ?? {};
    return items === undefined ? undefined : Math.max(0, items - delayed);
  }

  /** The place of the first one that is shown. */
  get begin() {
    return this.newest ? Math.max(0, (this.total ?? 0) - this.items.length) : this.offset;
  }

  /** Items that are not due are passed over in looking, and in a download. */
  update() {
    this.follow();
    const { delayed } = this.page.consumer(this.consumer) ?? {};
    const are = delayed === 1 ? "is" : "are";
    setText(
      this.delayed,
      delayed
        ? `${some(delayed, "delayed item")} ${are} not shown, and ${are} not in a download: not due yet, or on the` +
            " way to another queue."
        : "",
    );
    this.delayed.hidden = !delayed;
    const { total, items } = this;
    // Of large items fewer come than were asked for.
    const more = total === undefined ? items.length === this.count : this.offset + items.length < total;
    this.pager.lead(this.begin > 0, !this.newest && items.length > 0 && more);
  }

  /** A journal that has failed works again some time. */
  follow() {
    if (this.refused && this.page.failed) {
      this.failed = true;
      setText(this.trouble, "The items cannot be looked at while the journal has failed.");
    } else if (this.failed) {
      this.failed = false;
      this.load();
    }
  }

  /** From a place on, or "newest". */
  go(from) {
    this.newest = from === "newest";
    this.offset = this.newest ? 0 : from;
    this.from.value = this.newest ? "" : from;
    this.remember();
    this.load();
  }

  remember() {
    this.download.consumer = this.consumer;
    replace(
      toQueue(this.page.key, "items", {
        from: this.newest ? "newest" : this.offset || "",
        n: this.count === 10 ? "" : this.count,
        consumer: this.consumer,
        as: this.as === "auto" ? "" : this.as,
      }),
    );
  }

  async load() {
    this.stop?.abort();
    this.stop = new AbortController();
    const { signal } = this.stop;
    set(this.table, "aria-busy", "true");
    try {
      this.items = await this.ask(signal);
      this.trouble.hidden = true;
      this.refused = this.failed = false;
    } catch (error) {
      if (signal.aborted) return;
      this.items = [];
      // Of a queue that is not there the page tells.
      const missing = error.status === 404 && !this.consumer;
      setText(this.trouble, missing ? "" : `${error.title ?? "The page failed"}. ${error.message}`);
      this.trouble.hidden = missing;
      this.refused = error.status === 503;
      this.follow();
    }
    set(this.table, "aria-busy", null);
    this.time = Date.now();
    this.show();
  }

  async ask(signal) {
    const which = this.newest ? { last: this.count } : { offset: this.offset };
    const response = await ask("GET", of(this.page.key, "items", "peek"), {
      parameters: {
        ...which,
        n: this.count,
        bytes: GLANCE,
        consumer: this.consumer && new Encoded(this.consumer),
      },
      headers: { Accept: "application/jsonl" },
      signal,
    });
    if (response.status === 204) return [];
    const lines = (await response.text()).split("\n").filter(Boolean);
    return lines.map((line) => {
      const item = JSON.parse(line);
      return { ...item, bytes: bytesOf(item.data) };
    });
  }

  show() {
    const open = new Set(
      [...this.body.querySelectorAll("[aria-expanded=true]")].map((each) => each.dataset.id),
    );
    this.body.replaceChildren(...this.items.flatMap((item) => this.rows(item, open.has(String(item.id)))));
    const found = this.items.length;
    this.table.hidden = found === 0;
    this.empty.hidden = found > 0 || !this.trouble.hidden;
    setText(this.empty, this.offset ? "There are no items that far back." : "Nothing waits here.");
    const places = this.newest
      ? `The newest ${exact(found)}`
      : `Places ${exact(this.offset)} to ${exact(this.offset + found - 1)}`;
    const when = clock(this.time);
    this.pager.tell(found ? `${places}, as of ${when}` : `Looked at ${when}`);
    this.update();
  }

  rows(item, open) {
    const full = item.size ?? item.bytes.length;
    const place = el("td", { colspan: 6 });
    const more = el("tr", { class: "whole", hidden: !open, id: `item-${item.id}` }, place);
    const button = el(
      "button",
      {
        type: "button",
        class: "glimpse",
        "aria-expanded": String(open),
        "aria-controls": more.id,
        "data-id": item.id,
        onclick: () => {
          more.hidden = !more.hidden;
          set(button, "aria-expanded", String(!more.hidden));
          if (!more.hidden) this.whole(item, place);
        },
      },
      el("span", {}, glimpse(item.bytes)),
    );
    if (open) this.whole(item, place);
    const row = el(
      "tr",
      {},
      el("th", { scope: "row" }, String(item.id)),
      el("td", {}, duration(item.age * 1000)),
      el("td", { class: "small" }, exact(item.attempts)),
      el("td", { class: "small" }, String(item.flags)),
      el("td", {}, size(full)),
      el("td", { class: "data" }, button),
    );
    return [row, more];
  }

  whole(item, place) {
    const full = item.size ?? item.bytes.length;
    const { text, as } = view(item.bytes, this.as, full);
    const facts = [
      as === "none" ? some(full, "byte") : `${some(full, "byte")}, shown as ${VIEWS[as]}`,
      `flags ${item.flags}`,
      item.attempts ? `came back ${some(item.attempts, "time")}` : "never came back",
      item.bytes.length < full ? `only the first ${size(item.bytes.length)} of it` : null,
    ].filter(Boolean);
    const save = el("button", { type: "button", onclick: () => this.save(item) }, "Save");
    set(save, "aria-label", `Save item ${item.id} as a file`);
    place.replaceChildren(
      el("div", { class: "about" }, el("p", { class: "hint" }, facts.join(" · ")), save),
      el("pre", { tabindex: "0", "aria-label": `Data of item ${item.id}` }, el("code", {}, text)),
    );
  }

  /** All of its data, if it has not left since. */
  async save(item) {
    const { page } = this;
    try {
      const response = await ask("GET", of(page.key, "items", "peek"), {
        parameters: {
          after: item.id - 1,
          n: 1,
          consumer: this.consumer && new Encoded(this.consumer),
        },
      });
      if (response.headers.get("Darnerpy-Id") !== String(item.id))
        throw new Error("it is not there any more.");
      save(await response.blob(), `${page.text}-${item.id}.bin`);
    } catch (error) {
      page.say(`Item ${item.id} cannot be saved: ${error.message}`, "failed");
    }
  }

  close() {
    this.stop?.abort();
  }
}
