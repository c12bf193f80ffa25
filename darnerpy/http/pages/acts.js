// What can be done to a queue as a whole from this page: each act is a question, and a request.
//
// Owns the words of the questions and what they are asked of the server as.

import { Encoded, json, of } from "./api.js";
import { ask, choice, field } from "./dialogs.js";
import { el } from "./dom.js";
import { duration, exact, size, some } from "./format.js";
import { decoded, shown, typed } from "./names.js";

/** One queue as the acts need it. key: its encoded name. stats: the last that is known of it. */
function facts({ stats, store }) {
  const age = stats.items
    ? duration(store.queue(stats.name) ? store.age(store.queue(stats.name)) : stats.age)
    : "–";
  return [
    ["Waiting", `${some(stats.items, "item")}, ${size(stats.bytes)}`],
    ["Oldest", age],
    ["Open reads", exact(stats.open)],
    ["Waiters", exact(stats.waiters)],
  ];
}

const number = (name, value) =>
  el("input", { type: "number", name, min: 1, step: 1, value, required: true, inputmode: "numeric" });

const target = (name, required, list) => {
  const id = `${name}-queues`;
  return [
    el("input", { type: "text", name, required, autocomplete: "off", spellcheck: "false", list: id }),
    el(
      "datalist",
      { id },
      list.map((text) => el("option", { value: text })),
    ),
  ];
};

function others({ key, store }) {
  return [...store.queues.values()]
    .filter((queue) => queue.key !== key)
    .map((queue) => shown(queue.stats.text))
    .slice(0, 500);
}

/** The encoded name of the queue that is meant: not every name of those that are there can be typed. */
function meant(text, { store }) {
  const same = [...store.queues.values()].filter((queue) => shown(queue.stats.text) === text);
  const key = typed(text);
  return same.length && !same.some((queue) => queue.key === key) ? same[0].key : key;
}

export function purge(queue) {
  const first = number("first", 100);
  const older = el("input", {
    type: "text",
    name: "older",
    value: "1h",
    pattern: "[0-9]+(ms|s|m|h|d)",
    title: "Older than: a number and ms, s, m, h or d, such as 30s or 1h.",
    required: true,
  });
  first.setAttribute("aria-label", "How many");
  older.setAttribute("aria-label", "Older than");
  const which = choice("which", "Which items", [
    ["all", "All that wait"],
    ["first", "The oldest", first],
    ["older", "Those older than", older],
  ]);
  const follow = () => {
    const chosen = which.querySelector("input:checked").value;
    first.disabled = chosen !== "first";
    older.disabled = chosen !== "older";
  };
  which.addEventListener("change", follow);
  follow();
  return ask(queue, {
    title: "Purge",
    subject: queue.text,
    facts: () => facts(queue),
    warning: "The items are gone for good. Items that are open stay with whoever has them.",
    fields: [which],
    word: queue.text,
    danger: true,
    action: (given) =>
      given.which === "first"
        ? `Purge the oldest ${some(Number(given.first) || 0, "item")}`
        : given.which === "older"
          ? `Purge what is older than ${older.validity.valid ? given.older : "…"}`
          : `Purge all ${some(queue.stats.items, "item")}`,
    run: async (given) => {
      const parameters = {
        all: { all: "true" },
        first: { first: given.first },
        older: { older_than: given.older },
      }[given.which];
      const told = await json("DELETE", of(queue.key, "items"), { parameters });
      queue.say(`Purged ${some(told?.purged, "item")} from ${queue.text}.`);
    },
  });
}

export function remove(queue) {
  return ask(queue, {
    title: "Delete",
    subject: queue.text,
    facts: () => [...facts(queue), ["Consumers", exact(queue.consumers.length)]],
    warning:
      "The queue, its items and its consumers are gone for good; open reads of it end, and waiters get nothing.",
    word: queue.text,
    danger: true,
    action: () => `Delete the queue with ${some(queue.stats.items, "item")}`,
    run: async () => {
      await json("DELETE", of(queue.key));
      queue.say(`Deleted ${queue.text}.`);
    },
  });
}

/** What came of a move: that not all has gone, and why, as far as the server says so, is no good news. */
function tell(queue, text, { moved, left, unknown = 0, stopped }, { n }) {
  const early = stopped || (moved < Number(n) && left > unknown);
  if (!early) return queue.say(text);
  const why = stopped ? `: ${stopped.replace(/\.$/, "")}.` : ". The other queue may take no more.";
  return queue.say(`${text} It ended early${why}`, "warned");
}

export function move(queue) {
  const [to, list] = target("to", true, others(queue));
  return ask(queue, {
    title: "Move items of",
    subject: queue.text,
    facts: () => facts(queue),
    warning:
      "The oldest go first and get new ids; a queue that is not there is made. It stops where the other queue is full.",
    fields: [
      field("To the queue", to),
      list,
      field("How many items", number("n", Math.max(1, queue.stats.items))),
    ],
    word: queue.text,
    action: (given) => {
      const where = given.to ? ` to ${decoded(meant(given.to, queue))}` : "";
      return `Move ${some(Number(given.n) || 0, "item")}${where}`;
    },
    run: async (given) => {
      const key = meant(given.to, queue);
      const parameters = { to: new Encoded(key), n: given.n };
      const told = await json("POST", of(queue.key, "move"), { parameters });
      const moved = `Moved ${some(told.moved, "item")} from ${queue.text} to ${decoded(key)}`;
      tell(queue, `${moved}; ${exact(told.left)} left.`, told, given);
    },
  });
}

export function redrive(queue) {
  const [to, list] = target("to", false, others(queue));
  return ask(queue, {
    title: "Redrive",
    subject: queue.text,
    facts: () => [
      ...facts(queue),
      ["Came as dead", exact(queue.stats.cameDead)],
      ["Came as expired", exact(queue.stats.cameExpired)],
    ],
    warning:
      "Each item goes back to the queue it came from, with its attempts counted anew. One whose origin is not known stays, unless you say where it is to go.",
    fields: [
      field("How many items", number("n", Math.max(1, queue.stats.items))),
      field("To another queue (left out: where each came from)", to),
      list,
    ],
    word: queue.text,
    action: (given) => `Redrive ${some(Number(given.n) || 0, "item")}`,
    run: async (given) => {
      const parameters = { n: given.n, to: given.to && new Encoded(meant(given.to, queue)) };
      const told = await json("POST", of(queue.key, "redrive"), { parameters });
      const unknown = told.unknown ? ` Of ${some(told.unknown, "item")} the origin is not known.` : "";
      const moved = `Redrove ${some(told.moved, "item")} from ${queue.text}`;
      tell(queue, `${moved}; ${exact(told.left)} left.${unknown}`, told, given);
    },
  });
}

export function pause(queue) {
  return ask(queue, {
    title: "Pause",
    subject: queue.text,
    facts: () => facts(queue),
    warning:
      "It stays paused through restarts, until it is resumed. Open reads can still be confirmed; clients that wait go on waiting.",
    fields: [
      choice("what", "What is paused", [
        ["", "Puts and gets"],
        ["puts", "Puts only: clients are refused"],
        ["gets", "Gets only: nothing is handed out"],
      ]),
    ],
    word: queue.text,
    action: (given) => `Pause ${given.what || "puts and gets"}`,
    run: async (given) => {
      await json("POST", of(queue.key, "pause"), { parameters: { what: given.what } });
      queue.say(`Paused ${given.what || "puts and gets"} of ${queue.text}.`);
    },
  });
}

export function resume(queue) {
  const paused = () =>
    Object.entries(queue.stats.paused ?? {})
      .filter(([, is]) => is)
      .map(([what]) => what)
      .join(" and ");
  return ask(queue, {
    title: "Resume",
    subject: queue.text,
    facts: () => [["Paused", paused() || "nothing"], ...facts(queue)],
    word: queue.text,
    action: () => `Resume ${paused()}`,
    run: async () => {
      await json("POST", of(queue.key, "resume"));
      queue.say(`Resumed ${queue.text}.`);
    },
  });
}

export function make(queue) {
  const from = el(
    "select",
    { name: "copy" },
    el("option", { value: "" }, "–"),
    queue.consumers.map((consumer) => el("option", { value: consumer.name }, shown(consumer.text))),
  );
  return ask(queue, {
    title: "Make a consumer of",
    subject: queue.text,
    facts: () => [
      ["Consumers", exact(queue.consumers.length)],
      ["Waiting", some(queue.stats.items, "item")],
    ],
    fields: [
      field(
        "Name",
        el("input", { type: "text", name: "name", required: true, autocomplete: "off", spellcheck: "false" }),
      ),
      choice("start", "Where it begins", [
        ["tail", "Behind all that waits: it sees what is put from now on"],
        ["head", "With the oldest item that is there"],
      ]),
      queue.consumers.length ? field("Or where another consumer stands", from) : null,
    ].filter(Boolean),
    action: "Make the consumer",
    run: async (given) => {
      const body = JSON.stringify(given.copy ? { copy_from: given.copy } : { start: given.start });
      const headers = { "Content-Type": "application/json" };
      const key = typed(given.name);
      await json("PUT", of(queue.key, "consumers", key), { body, headers });
      queue.say(`Made the consumer ${decoded(key)} of ${queue.text}.`);
    },
  });
}

export function drop(queue, { name, text }) {
  const whole = `${queue.text}+${shown(text)}`;
  const consumer = () => queue.consumer(name) ?? {};
  return ask(queue, {
    title: "Drop the consumer",
    subject: whole,
    facts: () => [
      ["Queue", queue.text],
      ["Waiting for it", `${some(consumer().items, "item")}, ${size(consumer().bytes)}`],
      ["Open reads", exact(consumer().open)],
    ],
    warning:
      "Its place in the queue is forgotten; one of the same name begins anew. Items that only it had to read are gone.",
    word: whole,
    danger: true,
    action: () => `Drop it with ${some(consumer().items, "item")} to read`,
    run: async () => {
      await json("DELETE", of(queue.key, "consumers", name));
      queue.say(`Dropped the consumer ${whole}.`);
    },
  });
}
