// The first page: totals, and the table of queues with its filter and pages.
//
// Owns what is chosen there; it is in the address, so that a link leads to the same rows.

import { KINDS } from "./columns.js";
import { el } from "./dom.js";
import { exact } from "./format.js";
import { shown, typed } from "./names.js";
import { Pager } from "./pager.js";
import { replace, toQueue, toQueues } from "./route.js";
import { Table } from "./table.js";
import { Totals } from "./totals.js";
import { beginning } from "./beginning.js";

const SIZES = [25, 50, 100, 250];

/** Whether a text matches: anywhere in it, or as a whole where there is a "*" or "?". */
function matching(filter) {
  const plain = filter.trim().toLowerCase();
  if (!/[*?]/.test(plain)) return (text) => text.toLowerCase().includes(plain);
  const escaped = plain
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, ".*") // each one more would cost many times as much
    .replaceAll("?", ".");
  const whole = new RegExp(`^${escaped}$`, "s");
  return (text) => whole.test(text.toLowerCase());
}

export class QueuesPage {
  constructor(context, parameters) {
    this.title = "Queues";
    this.context = context;
    this.store = context.store;
    this.filter = parameters.get("filter") ?? "";
    this.kind = parameters.get("show") in KINDS ? parameters.get("show") : "all";
    this.size = SIZES.find((size) => String(size) === parameters.get("rows")) ?? 50;
    this.page = Math.max(1, Number.parseInt(parameters.get("page"), 10) || 1);
    this.totals = new Totals(this.store);
    this.table = new Table(this.store, () => this.chosen(1));
    this.table.sort(parameters.get("sort") ?? "name", parameters.get("down") === "1");
    this.choose();
    this.build();
  }

  build() {
    this.input = el("input", {
      type: "search",
      id: "filter",
      value: this.filter,
      placeholder: "Name, part of it, or mail-*",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => {
        this.filter = this.input.value;
        this.chosen(1);
      },
    });
    this.kinds = el(
      "select",
      {
        id: "kind",
        onchange: () => {
          this.kind = this.kinds.value;
          this.chosen(1);
        },
      },
      Object.entries(KINDS).map(([key, [label]]) =>
        el("option", { value: key, selected: key === this.kind }, label),
      ),
    );
    this.sizes = el(
      "select",
      {
        id: "rows",
        onchange: () => {
          this.size = Number(this.sizes.value);
          this.chosen(1);
        },
      },
      SIZES.map((size) => el("option", { value: size, selected: size === this.size }, String(size))),
    );
    this.pager = new Pager("Pages of queues", {
      back: () => this.chosen(this.shown - 1),
      on: () => this.chosen(this.shown + 1),
      beside: el("div", { class: "field row" }, el("label", { for: "rows" }, "Rows"), this.sizes),
    });
    this.none = el("div", { class: "empty" });
    this.parts = el(
      "div",
      { class: "panel" },
      el(
        "div",
        { class: "toolbar", role: "search", "aria-label": "Queues" },
        el("div", { class: "field grow" }, el("label", { for: "filter" }, "Filter"), this.input),
        el("div", { class: "field" }, el("label", { for: "kind" }, "Show"), this.kinds),
      ),
      this.table.element,
      this.none,
      this.pager.element,
    );
    this.loading = el("p", { class: "loading", role: "status" }, "Waiting for the server’s numbers …");
    this.element = el(
      "div",
      { class: "page" },
      el("h1", { tabindex: "-1", class: "unseen" }, "Queues"),
      this.totals.element,
      this.loading,
      this.parts,
    );
    this.first = null;
  }

  choose() {
    const matches = matching(this.filter);
    const [, among] = KINDS[this.kind];
    this.wanted = (queue) => among(queue) && matches(shown(queue.stats.text));
  }

  /** Something was chosen, so the page begins anew; or another page was. */
  chosen(page) {
    this.page = page;
    this.choose();
    this.table.ordered = 0;
    this.update();
    const { column, down } = this.table;
    replace(
      toQueues({
        filter: this.filter,
        show: this.kind === "all" ? "" : this.kind,
        sort: column.name ? "" : column.key,
        down: down ? "1" : "",
        rows: this.size === 50 ? "" : this.size,
        page: page > 1 ? page : "",
      }),
    );
  }

  update() {
    this.totals.update();
    const known = this.store.time !== undefined;
    const some = this.store.queues.size > 0;
    this.loading.hidden = known;
    this.parts.hidden = !known || !some;
    if (known && !some !== (this.first !== null)) {
      this.first?.remove();
      this.first = some ? null : beginning(this.context);
      if (this.first) this.element.append(this.first);
    }
    if (!some) return;
    this.table.arrange(this.wanted, performance.now());
    const found = this.table.order.length;
    const pages = Math.max(1, Math.ceil(found / this.size));
    // The page that was asked for may come yet: a server that has begun tells of its queues one by one.
    this.shown = Math.min(this.page, pages);
    const first = (this.shown - 1) * this.size;
    this.table.show(first, this.size);
    const all = this.store.queues.size;
    const of = found === all ? exact(all) : `${exact(found)} (${exact(all)} in all)`;
    this.pager.tell(
      found ? `${exact(first + 1)}–${exact(Math.min(first + this.size, found))} of ${of}` : "",
    );
    this.pager.lead(this.shown > 1, this.shown < pages);
    this.showNone(found === 0);
  }

  showNone(none) {
    this.none.hidden = !none;
    this.table.element.hidden = none;
    const wanted = none ? `${this.kind} ${this.filter}` : "";
    if (this.none.dataset.for === wanted) return;
    this.none.dataset.for = wanted;
    const name = typed(this.filter);
    this.none.replaceChildren(
      el("p", {}, "No queue is like that."),
      this.filter && this.kind === "all" && !/[*?/\s]/.test(this.filter)
        ? el(
            "p",
            {},
            el(
              "a",
              { href: toQueue(name, "items") },
              `Push the first item into a queue ${shown(this.filter)}`,
            ),
          )
        : "",
    );
  }

  /** What the server is may be a part of how to begin. */
  learned() {
    this.first?.remove();
    this.first = null;
    this.update();
  }

  close() {}
}
