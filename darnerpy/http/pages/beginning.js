// What there is to see while there is no queue yet: how to put something into one.
//
// Owns the two commands, which are of the server that is being looked at.

import { el } from "./dom.js";
import { token } from "./token.js";

export function beginning({ server }) {
  const here = new URL("v1/queues/work/items", document.baseURI).href;
  const sign = token.value ? " -H 'Authorization: Bearer …'" : "";
  const memcache = server.listen?.find((address) => !address.startsWith("unix:")) ?? "127.0.0.1:22133";
  const [, host, port] = /^(.*):(\d+)$/.exec(memcache) ?? [null, "127.0.0.1", "22133"];
  return el(
    "section",
    { class: "panel beginning", "aria-labelledby": "beginning" },
    el("h2", { id: "beginning" }, "There are no queues yet"),
    el("p", {}, "A queue is made by the first item that is pushed into it. With curl:"),
    el("pre", {}, el("code", {}, `curl${sign} -d 'hello' ${here}`)),
    el("p", {}, "Or with any memcache client, by hand with nc:"),
    el(
      "pre",
      {},
      el(
        "code",
        {},
        `printf 'set work 0 0 5\\r\\nhello\\r\\nquit\\r\\n' | nc ${host.replace(/[[\]]/g, "")} ${port}`,
      ),
    ),
    server.read_only
      ? el("p", { class: "hint" }, "Over HTTP nothing can be pushed here: http_read_only is set.")
      : el(
          "p",
          {},
          "Or right here: ",
          el("a", { href: "#/q/work/items" }, "push the first item into a queue work"),
          ".",
        ),
  );
}
