// Puts the parts of the page together: the stream feeds the store, the address chooses the page.
//
// Owns the order in which things begin, and when the screen is brought up to date: once a frame at most, and
// not while nobody can see it.

import { Activity } from "./activity.js";
import { json } from "./api.js";
import { Events } from "./events.js";
import { Header } from "./header.js";
import { Notices } from "./notices.js";
import { el } from "./dom.js";
import { parsed } from "./route.js";
import { QueuePage } from "./queue.js";
import { QueuesPage } from "./queues.js";
import { ServerPage } from "./server.js";
import { arrive } from "./scroll.js";
import { Store } from "./store.js";

const store = new Store();
const notices = new Notices();
const activity = new Activity();
const context = { store, server: {}, say: (text, kind) => notices.say(text, kind) };
const header = new Header(context, () => events.hurry());
const events = new Events("v1/events", told, stateIs);

const main = document.querySelector("#main");
let page = null;
let waiting = false;
let lost = false;
let rested = false;

function told(name, value) {
  if (name === "stats") store.take(value);
  else if (name === "admin") {
    activity.add(value);
    page?.acted?.(value);
  }
}

async function stateIs(state) {
  header.state(state);
  document.body.classList.toggle("stale", state.is === "lost" || state.is === "again");
  if (state.is === "lost") lost = true;
  if (state.is === "resting") rested = true;
  if (state.is !== "open") return;
  const back = lost || rested;
  const whole = lost;
  lost = rested = false; // before the wait, in which it can be lost once more
  await learn();
  if (back) page?.again?.(whole);
}

/** What server this is; another one may be there after each loss. */
async function learn() {
  try {
    Object.assign(context.server, await json("GET", "v1/server"));
  } catch {
    return; // the stream will be lost, too, and say so
  }
  document.body.classList.toggle("read-only", Boolean(context.server.read_only));
  page?.learned?.();
  soon();
}

/** A reload may have changed what is allowed over HTTP. */
function heard() {
  const { read_only: now } = store.all.stats;
  if (context.server.read_only !== undefined && context.server.read_only !== now) learn();
  soon();
}

function soon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    header.update();
    page.update();
  });
}

function open() {
  const route = parsed(location.hash);
  const first = page === null;
  // A question is about the page on which it was asked; the one for a token is about all.
  document.querySelector("dialog:not(.token)")?.close();
  page?.close();
  page = pageOf(route);
  main.replaceChildren(page.element);
  document.title = `${page.title} · darnerpy`;
  header.at(route.page);
  page.update();
  if (!first) main.querySelector("h1").focus({ preventScroll: true });
  arrive();
}

function pageOf(route) {
  if (route.page === "queues") return new QueuesPage(context, route.parameters);
  if (route.page === "queue") return new QueuePage(context, route);
  if (route.page === "server") return new ServerPage(context, route.parameters);
  return nowhere();
}

function nowhere() {
  const element = el(
    "div",
    { class: "page" },
    el("h1", { tabindex: "-1" }, "There is no such page"),
    el("p", {}, el("a", { href: "#/" }, "All queues")),
  );
  return { element, title: "Nowhere", update() {}, close() {} };
}

/** Not by the link's own address, which would take the place of the page's. */
function skip(event) {
  event.preventDefault();
  main.focus();
}

document.querySelector("#header").replaceWith(header.element);
document.querySelector("#footer").replaceWith(activity.element);
document.body.append(notices.element);
store.watch(heard);
document.querySelector(".skip").addEventListener("click", skip);
window.addEventListener("hashchange", open);
open();
events.run();
