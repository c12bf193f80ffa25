// The page of one queue: its numbers, what can be done to it, and four parts of which one is open.
//
// Owns what is known of the queue beside the stream (settings, consumers), and that it is asked for again
// when something was done. A queue that is not there has a page, too: its first item can be put on it.

import * as acts from "./acts.js";
import { json, of } from "./api.js";
import { badges } from "./columns.js";
import { ConsumersPart } from "./consumers.js";
import { el, set, setText } from "./dom.js";
import { ItemsPart } from "./items.js";
import { decoded, encoded, shown } from "./names.js";
import { OverviewPart } from "./overview.js";
import { TABS, toQueue } from "./route.js";
import { said } from "./said.js";
import { SettingsPart } from "./settings.js";
import { Tiles } from "./tiles.js";

const AGAIN = 3000;
const PARTS = { overview: OverviewPart, items: ItemsPart, consumers: ConsumersPart, settings: SettingsPart };
const LABELS = { overview: "Overview", items: "Items", consumers: "Consumers", settings: "Settings" };

/** Without what was not said. */
function known(stats) {
  return Object.fromEntries(Object.entries(stats).filter(([, value]) => value !== undefined));
}

/** What it means that a journal has failed, and what comes of it. why: the server's words. */
function failure(why) {
  return (
    `The journal of this queue has failed: ${why.replace(/\.$/, "")}. Puts and gets of it are refused meanwhile;` +
    " other queues are not concerned. The server tries it again by itself, every 5 seconds at the latest, and" +
    " serves it again as soon as it can be read. What to do: question 13 of docs/troubleshooting.md."
  );
}

export class QueuePage {
  constructor(context, { name, tab, parameters }) {
    this.context = context;
    this.store = context.store;
    this.key = name;
    this.tab = tab;
    this.detail = null;
    this.absent = false;
    this.looking = null; // what ends the look that is under way
    this.closed = false;
    this.error = null;
    this.part = new PARTS[tab](this, parameters);
    this.build();
    this.look();
    this.timer = setInterval(() => document.hidden || this.looking || this.look(), AGAIN);
  }

  /** The queue as the stream has it, or as it was last asked for. */
  get stats() {
    const { detail } = this;
    const queue = this.store.queue(this.key);
    // The stream is newer, and the answer says more.
    return queue ? { ...detail, ...known(queue.stats) } : (detail ?? {});
  }

  get text() {
    const { text } = this.stats;
    return text === undefined ? decoded(this.key) : shown(text);
  }

  get title() {
    return this.text;
  }

  get consumers() {
    const queue = this.store.queue(this.key);
    return this.detail?.consumers ?? [...(queue?.consumers.values() ?? [])].map(({ stats }) => stats);
  }

  /** The age of the oldest item, which grows while nothing is said of the queue. */
  get age() {
    const queue = this.store.queue(this.key);
    return queue ? this.store.age(queue) : this.stats.age;
  }

  /** What is known of a consumer by its name, "" is the queue's own; undefined if there is none. */
  consumer(name) {
    return name ? this.consumers.find((consumer) => consumer.name === name) : this.stats;
  }

  get failed() {
    return this.stats.state === "failed";
  }

  get readOnly() {
    return Boolean(this.context.server.read_only);
  }

  get say() {
    return this.context.say;
  }

  build() {
    this.heading = el("h1", { tabindex: "-1" });
    this.badges = el("span", { class: "badges" });
    this.tiles = new Tiles(this);
    this.buttons = [
      this.button("Pause…", () => acts.pause(this)),
      this.button("Resume…", () => acts.resume(this)),
      this.button("Move…", () => acts.move(this)),
      this.button("Redrive…", () => acts.redrive(this)),
      this.button("Purge…", () => acts.purge(this), "danger"),
      this.button("Delete…", () => acts.remove(this), "danger"),
    ];
    this.tabs = TABS.map((tab) =>
      el("a", { href: toQueue(this.key, tab), "aria-current": tab === this.tab && "page" }, LABELS[tab]),
    );
    this.acts = el(
      "div",
      { class: "buttons acts-of-queue", role: "group", "aria-label": "Change this queue" },
      this.buttons,
    );
    this.only = el(
      "p",
      { class: "hint read-only-why", hidden: true },
      "Read-only: http_read_only is set, so nothing can be changed over HTTP.",
    );
    this.trouble = el("p", { class: "problem", role: "alert", hidden: true });
    this.element = el(
      "div",
      { class: "page queue" },
      el("p", { class: "trail" }, el("a", { href: "#/" }, "Queues"), " / "),
      el("div", { class: "heading" }, this.heading, this.badges, this.acts),
      this.only,
      this.trouble,
      this.tiles.element,
      el("nav", { class: "tabs", "aria-label": "Parts of this queue" }, this.tabs),
      this.part.element,
    );
  }

  button(label, act, kind = null) {
    return el("button", { type: "button", class: kind, onclick: () => this.act(act) }, label);
  }

  async act(act) {
    const done = await act();
    // The button that was pressed may have been of no use any more while it was asked.
    if (document.activeElement === document.body) this.heading.focus({ preventScroll: true });
    if (!done) return;
    this.part.acted?.();
    await this.look();
  }

  /** Anew, whatever is under way: that may be older than what was done since, or wait for a token for hours. */
  async look() {
    if (this.closed) return;
    this.looking?.abort();
    const looking = (this.looking = new AbortController());
    try {
      const told = await json("GET", of(this.key), { signal: looking.signal });
      const consumers = told.consumers.map(said);
      this.detail = { ...said(told), consumers, settings: told.settings };
      this.absent = false;
      this.error = null;
    } catch (error) {
      if (looking.signal.aborted) return;
      this.absent = error.status === 404;
      if (this.absent) this.detail = null;
      // What the connection has to say, the top of the page says.
      this.error = this.absent || error.status === 0 ? null : error;
    }
    if (looking.signal.aborted) return;
    this.looking = null;
    this.part.looked?.();
    this.update();
  }

  /** Why the queue cannot be asked for, "" if it can. */
  get fault() {
    const { error } = this;
    if (!error) return "";
    if (error.status === 503 && this.failed) return failure(error.message);
    return `${error.title ?? "The page failed"}. ${error.message}`;
  }

  update() {
    const there = Boolean(this.store.queue(this.key)) || this.detail !== null;
    setText(this.heading, this.text);
    document.title = `${this.text} · darnerpy`;
    const found = badges(this.stats);
    const noted = JSON.stringify(found);
    if (noted !== this.noted) {
      this.noted = noted;
      this.badges.replaceChildren(
        ...found.map(([word, kind]) => el("span", { class: `badge ${kind}` }, word)),
      );
    }
    const { puts, gets } = this.stats.paused ?? {};
    const [pause, resume] = this.buttons;
    const pressed = this.buttons.find((button) => button === document.activeElement);
    pause.hidden = Boolean(puts && gets);
    resume.hidden = !(puts || gets);
    for (const button of this.buttons) set(button, "disabled", this.readOnly || !there);
    if (pressed?.disabled || pressed?.hidden) this.heading.focus({ preventScroll: true });
    this.only.hidden = !this.readOnly;
    const missing =
      this.absent && !there
        ? "There is no such queue (any more). It is made by the first item that is pushed into it."
        : "";
    setText(this.trouble, this.fault || missing);
    this.trouble.hidden = !this.trouble.textContent;
    this.trouble.classList.toggle("mild", Boolean(missing));
    this.tiles.element.hidden = !there;
    this.tiles.update();
    this.part.update?.();
  }

  /** Something was done to a queue, by whomever; a script may do much at once. */
  async acted({ queue }) {
    if (this.following || encoded(queue) !== this.key) return;
    this.following = true;
    await this.look();
    this.following = false;
  }

  /** The server is heard again. lost: it was lost, and nobody had only looked elsewhere. */
  again(lost) {
    this.look();
    this.part.again?.(lost);
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    this.looking?.abort();
    this.part.close?.();
  }
}
