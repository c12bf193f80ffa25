// The event stream, followed for as long as the page is looked at.
//
// Owns the connection: it is read with fetch, since an EventSource can send no token, and comes back by
// itself when it is lost, soon at first and then more rarely. A browser has six connections to a server for
// all its tabs: those that nobody sees leave them to what is asked in the others. Knows nothing of what
// events say.

import { ask } from "./api.js";

const WAITS = [500, 1000, 2000, 4000, 8000];
const SILENCE = 10000; // the server says something every second

/** Takes a text/event-stream apart. told: given each event's name and data. */
export class Parser {
  constructor(told) {
    this.told = told;
    this.rest = "";
    this.name = "";
    this.data = [];
  }

  feed(text) {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    for (const raw of lines) this.line(raw.endsWith("\r") ? raw.slice(0, -1) : raw);
  }

  line(line) {
    if (line === "") {
      if (this.data.length) this.told(this.name || "message", this.data.join("\n"));
      this.name = "";
      this.data = [];
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.name = value;
    else if (field === "data") this.data.push(value);
  }
}

export class Events {
  /**
   * told(name, value): each event, its JSON read. state(now): "resting" while nobody looks, "connecting",
   * "open", or "lost" with `error` and `until`, when it is tried again.
   */
  constructor(path, told, state) {
    this.path = path;
    this.told = told;
    this.state = state;
    this.failures = 0;
    this.hurry = () => {};
    this.rest = () => {};
    this.rested = false;
    window.addEventListener("online", () => document.hidden || this.hurry());
    document.addEventListener("visibilitychange", () => (document.hidden ? this.rest() : this.hurry()));
  }

  async run() {
    for (;;) {
      while (document.hidden) await this.seen();
      try {
        this.state({ is: this.failures ? "again" : "connecting" });
        await this.follow();
        throw new Error("The server has ended the connection.");
      } catch (error) {
        if (this.rested) continue;
        const wait = WAITS[Math.min(this.failures, WAITS.length - 1)] * (0.8 + 0.4 * Math.random());
        this.failures += 1;
        this.state({ is: "lost", error, until: Date.now() + wait });
        await new Promise((done) => {
          const timer = setTimeout(done, wait);
          this.hurry = () => {
            clearTimeout(timer);
            done();
          };
        });
        this.hurry = () => {};
      }
    }
  }

  /** When somebody looks again. */
  seen() {
    this.state({ is: "resting" });
    return new Promise((done) => (this.hurry = done));
  }

  async follow() {
    const stop = new AbortController();
    let timer = 0;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(new Error("Nothing has come from the server for 10 s.")), SILENCE);
    };
    const asked = () => clearTimeout(timer); // a person may be asked for a token, and take time
    this.rested = false;
    this.rest = () => {
      this.rested = true;
      stop.abort();
    };
    try {
      const response = await ask("GET", this.path, {
        headers: { Accept: "text/event-stream" },
        signal: stop.signal,
        asking: alive,
        asked,
      });
      const parser = new Parser((name, data) => this.told(name, JSON.parse(data)));
      const text = new TextDecoder();
      const reader = response.body.getReader();
      this.state({ is: "open" });
      alive();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        this.failures = 0;
        alive();
        parser.feed(text.decode(value, { stream: true }));
      }
    } finally {
      asked();
      stop.abort();
    }
  }
}
