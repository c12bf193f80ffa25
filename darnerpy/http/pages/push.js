// Pushes one item into the queue: what is typed, or a file.
//
// Owns the form. What is typed goes as it stands, in UTF-8; a queue that is not there is made by it.

import { json, of } from "./api.js";
import { field } from "./dialogs.js";
import { el, set, setText } from "./dom.js";
import { size } from "./format.js";

const TIME = "[0-9]+(ms|s|m|h|d)";
const READ_ONLY = "Read-only: nothing can be pushed over HTTP.";

export class Push {
  constructor(page, pushed) {
    this.page = page;
    this.pushed = pushed;
    this.empty = false; // an empty item was asked for, which is to be asked twice
    this.data = el("textarea", { rows: 6, spellcheck: "false", oninput: () => (this.empty = false) });
    this.file = el("input", { type: "file", onchange: () => this.update() });
    this.flags = el("input", { type: "number", min: 0, max: 4294967295, step: 1, placeholder: "0" });
    this.ttl = el("input", {
      type: "text",
      pattern: TIME,
      title: "A number and ms, s, m, h or d, such as 30s or 1h",
      placeholder: "never",
      autocomplete: "off",
    });
    this.delay = el("input", {
      type: "text",
      pattern: TIME,
      title: "A number and ms, s, m, h or d, such as 30s or 1h",
      placeholder: "none",
      autocomplete: "off",
    });
    this.button = el("button", { type: "submit", class: "primary" }, "Push");
    this.told = el("p", { role: "status", class: "told" });
    this.trouble = el("p", { class: "problem", role: "alert", hidden: true });
    this.set = el(
      "fieldset",
      { class: "plain" },
      el("legend", { class: "unseen" }, "The item"),
      field("Data", this.data, "push-data"),
      field("Or a file", this.file, "push-file"),
      el(
        "div",
        { class: "trio" },
        field("Flags", this.flags, "push-flags"),
        field("Expires after", this.ttl, "push-ttl"),
        field("Delay", this.delay, "push-delay"),
      ),
      el("div", { class: "buttons" }, this.button),
    );
    this.form = el("form", { onsubmit: (event) => this.submit(event) }, this.set, this.told, this.trouble);
    // What the browser refuses to send was not pushed, whatever is told of the one before.
    this.form.addEventListener("invalid", () => setText(this.told, ""), { capture: true });
    this.element = el(
      "section",
      { class: "panel push", "aria-labelledby": "push" },
      el("h2", { id: "push" }, "Push an item"),
      this.form,
    );
  }

  update() {
    set(this.set, "disabled", this.page.readOnly);
    const [file] = this.file.files;
    set(this.data, "disabled", Boolean(file));
    if (this.page.readOnly) setText(this.told, READ_ONLY);
    else if (this.told.textContent === READ_ONLY) setText(this.told, "");
  }

  /** What is in the queue is not in the form any more, so that one more click does not put it twice. */
  clear(file, sent) {
    this.empty = false;
    this.file.value = "";
    if (file) set(this.data, "disabled", null);
    else if (this.data.value === sent) this.data.value = ""; // and not what was typed meanwhile
    // The button was disabled, and so lost the focus: the next item begins here.
    if (document.activeElement === document.body) this.data.focus();
  }

  async submit(event) {
    event.preventDefault();
    const [file] = this.file.files;
    const sent = this.data.value;
    if (!file && !sent && !this.empty) {
      this.empty = true;
      setText(this.told, "There is nothing to push. Push again to put an empty item.");
      return;
    }
    const body = file ?? new TextEncoder().encode(sent);
    const headers = { "Content-Type": "application/octet-stream" };
    if (this.flags.value) headers["Darnerpy-Flags"] = this.flags.value;
    if (this.ttl.value) headers["Darnerpy-TTL"] = this.ttl.value;
    if (this.delay.value) headers["Darnerpy-Delay"] = this.delay.value;
    set(this.button, "disabled", true);
    this.trouble.hidden = true;
    try {
      const { ids } = await json("POST", of(this.page.key, "items"), { body, headers });
      setText(this.told, `Pushed as item ${ids[0]}, ${size(file?.size ?? body.length)}.`);
      this.clear(file, sent);
      this.pushed();
      this.page.look();
    } catch (error) {
      const text = `${error.title ?? "The page failed"}. ${error.message}`;
      setText(this.told, "");
      setText(this.trouble, text);
      this.trouble.hidden = false;
      // Whoever has gone to another page meanwhile would think that it was pushed.
      if (!this.form.isConnected) this.page.say(`Push into ${this.page.text}: ${text}`, "failed");
    }
    set(this.button, "disabled", null);
    this.update();
  }
}
