// What the table of queues says of each queue, column by column.
//
// Owns their order, how each is sorted and written, and which of them are marked when they change: those
// that are quiet on a quiet queue. hint: more, for who points at it. from: how wide a screen must be to have
// it; without one, any will do.

import { count, duration, exact, rate, size, some } from "./format.js";
import { shown } from "./names.js";

const stat = (name) => (queue) => queue.stats[name];

/** Which consumer it is, how far behind and for how long. */
function furthest({ furthest: consumer }, store) {
  if (!consumer) return null;
  const { stats } = consumer;
  const age = stats.items ? `, the oldest ${duration(store.age(consumer))} old` : "";
  return `${shown(stats.text)}: ${some(stats.items, "item")}${age}`;
}

export const COLUMNS = [
  { key: "name", label: "Queue", name: true, value: (queue) => shown(queue.stats.text) },
  { key: "trend", label: "Last minute", trend: true, from: "medium" },
  {
    key: "items",
    label: "Depth",
    middling: true,
    title: "Items that wait",
    value: stat("items"),
    text: count,
    hint: (queue) => exact(queue.stats.items),
    marked: true,
  },
  {
    key: "lag",
    label: "Lag",
    title: "Items that wait for the named consumer that is furthest behind",
    value: (queue) => queue.furthest?.stats.items,
    text: (value) => (value === undefined ? "" : count(value)),
    hint: furthest,
    marked: true,
    from: "small",
  },
  { key: "in", label: "In/s", title: "Items put a second", value: (queue) => queue.in.value, text: rate },
  {
    key: "out",
    label: "Out/s",
    title: "Items taken a second",
    value: (queue) => queue.out.value,
    text: rate,
  },
  {
    key: "open",
    label: "Open",
    title: "Items that somebody has and has not confirmed",
    value: stat("open"),
    text: count,
    marked: true,
    from: "medium",
  },
  {
    key: "waiters",
    label: "Waiters",
    title: "Clients that wait for an item",
    value: stat("waiters"),
    text: count,
    marked: true,
    from: "medium",
  },
  {
    key: "age",
    label: "Oldest",
    middling: true,
    title: "Age of the oldest item that waits",
    value: (queue, store) => store.age(queue),
    text: duration,
    from: "small",
  },
  {
    key: "bytes",
    label: "Size",
    middling: true,
    title: "Bytes of the items that wait",
    value: stat("bytes"),
    text: size,
    from: "wide",
  },
  {
    key: "disk",
    label: "Disk",
    middling: true,
    title: "Bytes that the journal takes",
    value: stat("disk"),
    text: size,
    from: "wider",
  },
  {
    key: "delayed",
    label: "Delayed",
    title: "Items that are held back until they are due",
    value: stat("delayed"),
    text: count,
    marked: true,
    from: "wider",
  },
  {
    key: "expired",
    label: "Expired",
    title: "Items whose time was over",
    value: stat("expired"),
    text: count,
    marked: true,
    from: "wider",
  },
  {
    key: "dead",
    label: "Dead",
    title: "Items that came back too often and were moved away",
    value: stat("dead"),
    text: count,
    marked: true,
    from: "wide",
  },
];

/** Compares two queues by a column, and by name where they are equal in it. */
export function comparing(column, store, down) {
  const names = (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  if (column.name) return down ? (a, b) => names(b, a) : names;
  const value = (queue) => column.value(queue, store) ?? -1;
  return (a, b) => (down ? value(b) - value(a) : value(a) - value(b)) || names(a, b);
}

/** What is out of the ordinary about a queue: [word, kind] each. */
export function badges(stats) {
  const found = [];
  if (stats.state === "failed") found.push(["failed", "danger"]);
  if (stats.damaged || stats.kept) found.push(["damaged", "danger"]);
  if (stats.state === "loading") found.push(["loading", "plain"]);
  const { puts, gets } = stats.paused ?? {};
  if (puts && gets) found.push(["paused", "warning"]);
  else if (puts) found.push(["puts paused", "warning"]);
  else if (gets) found.push(["gets paused", "warning"]);
  if (stats.lagging) found.push(["lagging", "warning"]);
  return found;
}

/** The choices of the list beside the filter: whether a queue is among them. */
export const KINDS = {
  all: ["All queues", () => true],
  filled: ["Not empty", (queue) => queue.stats.items > 0],
  busy: ["With traffic", (queue) => queue.in.value > 0 || queue.out.value > 0],
  open: ["With open reads", (queue) => queue.stats.open > 0],
  waited: ["With waiters", (queue) => queue.stats.waiters > 0],
  noted: ["Paused, lagging, damaged or failed", (queue) => badges(queue.stats).length > 0],
};
