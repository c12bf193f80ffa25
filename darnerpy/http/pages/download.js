// Saves what waits in a queue as JSON lines, without taking it.
//
// Owns going through the queue page by page, each from where the one before ended, until one is empty: of
// large items the server gives fewer. What leaves before its turn is not in the file, nor is what comes after
// the start: it may come faster than it is saved. Items that are delayed are not in it, either, which is said.

import { ask, Encoded, of } from "./api.js";
import { el, set, setText } from "./dom.js";
import { exact, size, some } from "./format.js";

const PAGE = 500;
const GATHERED = 8 << 20; // so much at a time is handed to the browser, which may keep it on disk

export class Download {
  constructor(page) {
    this.page = page;
    this.consumer = "";
    this.element = el("button", { type: "button", onclick: () => this.start() }, "Download as JSON lines");
    this.told = el("span", { role: "status" });
    this.cancel = el("button", { type: "button", onclick: () => this.stop.abort() }, "Cancel");
    this.progress = el("p", { class: "progress", hidden: true }, this.told, " ", this.cancel);
  }

  async start() {
    this.stop = new AbortController();
    this.whose = this.consumer;
    this.end = null;
    this.progress.hidden = false;
    this.cancel.focus();
    set(this.element, "disabled", true);
    setText(this.told, "Downloading …");
    try {
      const { blob, items } = await this.gather();
      save(blob, `${this.page.text}.jsonl`);
      const said = `Downloaded ${some(items, "item")} of ${this.page.text}, ${size(blob.size)}.`;
      const { delayed } = this.page.consumer(this.whose) ?? {};
      if (delayed) {
        const left = `${some(delayed, "delayed item")} ${delayed === 1 ? "is" : "are"} not in it.`;
        this.page.say(`${said} ${left}`, "warned");
      } else this.page.say(said);
    } catch (error) {
      const cancelled = this.stop.signal.aborted;
      this.page.say(
        cancelled ? "The download was cancelled." : `The download failed: ${error.message}`,
        cancelled ? "done" : "failed",
      );
    }
    set(this.element, "disabled", null);
    if (document.activeElement === this.cancel) this.element.focus();
    this.progress.hidden = true;
  }

  async gather() {
    let blob = new Blob([], { type: "application/jsonl" });
    let parts = [];
    let gathered = 0;
    let items = 0;
    let last = 0;
    const keep = () => {
      blob = new Blob([blob, ...parts], { type: "application/jsonl" });
      parts = [];
      gathered = 0;
    };
    for (;;) {
      let found = 0;
      for await (const line of this.lines(last)) {
        const id = Number(/^\{"id":(\d+)/.exec(line)[1]);
        if (id >= this.end) continue;
        found += 1;
        last = id;
        items += 1;
        parts.push(`${line}\n`);
        gathered += line.length;
        if (gathered > GATHERED) keep();
        if (items % 100 === 0)
          setText(this.told, `Downloading … ${exact(items)} items, ${size(blob.size + gathered)}`);
      }
      if (found === 0) {
        keep();
        return { blob, items };
      }
    }
  }

  /** As they come: one may be of many megabytes, and all of them too much to have at once. */
  async *lines(after) {
    const response = await ask("GET", of(this.page.key, "items", "peek"), {
      parameters: { after, n: PAGE, consumer: this.whose && new Encoded(this.whose) },
      headers: { Accept: "application/jsonl" },
      signal: this.stop.signal,
    });
    this.end ??= Number(response.headers.get("Darnerpy-Next-Id"));
    if (response.status === 204) return;
    let pieces = [];
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = value.split("\n");
      while (lines.length > 1) {
        pieces.push(lines.shift());
        const line = pieces.join("");
        pieces = [];
        if (line) yield line;
      }
      pieces.push(lines[0]);
    }
    const line = pieces.join("");
    if (line) yield line;
  }

  close() {
    this.stop?.abort();
  }
}

/** Hands data to the browser as a file. */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  el("a", { href: address, download: name.replace(/[^A-Za-z0-9._+-]/g, "_").slice(-120) }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
