// A question before something is done that cannot be undone: it names what and how much, and is answered by
// typing the name.
//
// Owns that nothing is sent before the name is right, that it is sent once, and that a refusal is read in the
// dialog, where it can be tried again, or as a notice, if another page was opened meanwhile. Knows no act.

import { Problem } from "./api.js";
import { bdi, el, set, setText } from "./dom.js";

/** A field: its label and the input, which in a dialog has the name by which it is given to `run`. */
export function field(label, input, id = `dialog-${input.getAttribute("name")}`) {
  set(input, "id", id);
  return el("div", { class: "field" }, el("label", { for: id }, label), input);
}

/** Choices of which one is taken: [value, label, more fields beside it] each. */
export function choice(name, legend, options) {
  return el(
    "fieldset",
    {},
    el("legend", {}, legend),
    options.map(([value, label, ...beside], at) =>
      el(
        "div",
        { class: "choice" },
        el("label", {}, el("input", { type: "radio", name, value, checked: at === 0 }), " ", label),
        beside,
      ),
    ),
  );
}

/**
 * say: tells of a refusal when the dialog is gone. store: what is known, which may change meanwhile.
 * title: the act. subject: the name it is done to. facts: gives [label, text] each. word: to be typed, none
 * for what can be undone. action: the button, or what makes its text of the fields. run: does it, given the
 * fields by name; throws if it could not be done. Resolves to whether it was done.
 */
export function ask(
  { say, store },
  { title, subject, facts, warning, fields = [], word, action, danger = false, run },
) {
  return new Promise((answered) => {
    const told = el("p", { class: "problem", role: "alert", hidden: true });
    const name = el("input", {
      type: "text",
      id: "dialog-word",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      "aria-describedby": "dialog-told",
    });
    told.id = "dialog-told";
    const values = facts().map(([, text]) => el("dd", {}, text));
    const submit = el("button", { type: "submit", class: danger ? "danger" : "primary" });
    const cancel = el("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
    const form = el(
      "form",
      { novalidate: true },
      el("h2", { id: "dialog-title" }, title, " ", el("span", { class: "subject" }, bdi(subject))),
      el(
        "dl",
        { class: "facts" },
        facts().map(([label], at) => el("div", {}, el("dt", {}, label), values[at])),
      ),
      warning ? el("p", { class: "warning" }, warning) : null,
      fields,
      word
        ? el(
            "div",
            { class: "field typed" },
            el(
              "label",
              { for: "dialog-word" },
              "To confirm, type ",
              el("strong", { class: "word" }, bdi(word)),
            ),
            name,
          )
        : null,
      told,
      el("div", { class: "buttons" }, cancel, submit),
    );
    const dialog = el("dialog", { "aria-labelledby": "dialog-title" }, form);
    const given = () => Object.fromEntries(new FormData(form));
    // One letter can be written in two ways, and no keyboard has both.
    const right = () => !word || name.value.trim().normalize() === word.normalize();
    let done = false;

    /** The facts and the button say the same, of the same moment. */
    function update() {
      facts().forEach(([, text], at) => setText(values[at], text));
      setText(submit, typeof action === "function" ? action(given()) : action);
      submit.classList.toggle("unready", !right());
    }

    function refuse(text, input) {
      setText(told, text);
      told.hidden = false;
      set(input ?? name, "aria-invalid", input || !right() ? "true" : null);
      input?.focus();
    }

    form.addEventListener("input", () => {
      told.hidden = true;
      set(name, "aria-invalid", null);
      update();
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const wrong = [...form.elements].find((element) => element.willValidate && !element.validity.valid);
      // A pattern says nothing; the title says what it stands for.
      if (wrong) return refuse((wrong.validity.patternMismatch && wrong.title) || wrong.validationMessage, wrong);
      if (!right())
        return refuse(
          name.value.trim()
            ? "That is another name. Nothing was done."
            : "Type the name first. Nothing was done.",
          name,
        );
      for (const button of [cancel, submit]) set(button, "disabled", true);
      try {
        await run(given());
        done = true;
        dialog.close();
      } catch (error) {
        const text = error instanceof Problem ? `${error.title}. ${error.message}` : error.message;
        if (dialog.open) refuse(text);
        else say(`${title} ${subject}: ${text}`, "failed");
      }
      for (const button of [cancel, submit]) set(button, "disabled", null);
    });
    // What was sent cannot be taken back. A browser lets a second Escape through nevertheless.
    dialog.addEventListener("cancel", (event) => cancel.disabled && event.preventDefault());
    const forget = store.watch(update);
    dialog.addEventListener("close", () => {
      forget();
      dialog.remove();
      answered(done);
    });
    document.body.append(dialog);
    update();
    dialog.showModal();
    (form.querySelector("fieldset input, .field input, .field select") ?? cancel).focus();
  });
}
