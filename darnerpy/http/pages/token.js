// The token that the server wants with each request, where it wants one.
//
// Owns where it is kept (for this tab, until it is closed) and that a person is asked for it once, however
// many requests wait for it.

import { el } from "./dom.js";

const KEY = "darnerpy-token";

let asked = null;

export const token = {
  get value() {
    return sessionStorage.getItem(KEY) ?? "";
  },

  /** Another one than `refused`, which the server did not take; "" if none was sent. */
  renew(refused) {
    if (this.value !== refused) return Promise.resolve();
    asked ??= prompt(refused !== "").finally(() => (asked = null));
    return asked;
  },
};

function prompt(wrong) {
  return new Promise((done) => {
    const input = el("input", {
      id: "token",
      type: "password",
      autocomplete: "off",
      required: true,
      spellcheck: "false",
      "aria-describedby": "token-why",
      "aria-invalid": wrong ? "true" : null,
    });
    const form = el(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          const value = input.value.trim();
          if (!value || /[^\x21-\x7e]/.test(value)) {
            input.setAttribute("aria-invalid", "true");
            return;
          }
          sessionStorage.setItem(KEY, value);
          dialog.close();
          dialog.remove();
          done();
        },
      },
      el("h2", { id: "token-title" }, "This server wants a token"),
      el(
        "p",
        { id: "token-why", class: wrong ? "problem" : "hint", role: wrong ? "alert" : null },
        wrong
          ? "The server did not take that token. It is the text in the file that http_token_file names."
          : "It is the text in the file that http_token_file names. It is kept in this tab only.",
      ),
      el("label", { for: "token" }, "Token"),
      input,
      el("div", { class: "buttons" }, el("button", { class: "primary", type: "submit" }, "Sign in")),
    );
    const dialog = el("dialog", { class: "token", "aria-labelledby": "token-title" }, form);
    // Every request waits for the token, and a browser lets a second Escape through whatever a page says.
    dialog.addEventListener("close", () => dialog.isConnected && dialog.showModal());
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}
