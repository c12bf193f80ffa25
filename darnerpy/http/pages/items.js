// The part of a queue's page that has its items: looking at them, pushing one, saving them all.
//
// Owns only that these stand together.

import { Download } from "./download.js";
import { el } from "./dom.js";
import { Peek } from "./peek.js";
import { Push } from "./push.js";

export class ItemsPart {
  constructor(page, parameters) {
    this.download = new Download(page);
    this.peek = new Peek(page, parameters, this.download);
    this.push = new Push(page, () => this.peek.load());
    this.element = el("div", { class: "part items" }, this.peek.element, this.push.element);
  }

  looked() {
    this.peek.looked();
  }

  update() {
    this.peek.update();
    this.push.update();
  }

  /** Something was done to the queue from this page. */
  acted() {
    this.peek.load();
  }

  /** Items that somebody looks at stay as they are while he looks elsewhere. */
  again(lost) {
    if (lost) this.peek.load();
  }

  close() {
    this.peek.close();
    this.download.close();
  }
}
