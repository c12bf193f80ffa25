// What is known of the server and its queues: the last thing it said of each.
//
// Owns the numbers that pages show, short trends among them. It is given what the event stream tells, and
// tells who watches; it knows neither pages nor requests.

import { encoded } from "./names.js";
import { Rate } from "./rates.js";
import { said, saidOfAll } from "./said.js";

export const TREND = 60;

/** Of a queue, or of all. trend: of the depth, a number a second, the last one the latest. */
class Counted {
  constructor() {
    this.stats = {};
    this.begin();
  }

  /** What was before is not of the seconds just before what comes. */
  begin() {
    this.in = new Rate();
    this.out = new Rate();
    this.trend = [];
  }

  /** A second has passed. */
  note() {
    this.in.add(this.stats.putRate);
    this.out.add(this.stats.getRate);
    if (this.stats.items === undefined) return;
    this.trend.push(this.stats.items);
    if (this.trend.length > TREND) this.trend.shift();
  }

  /** What the server knows of the last minute, its last number the latest; null is not known. */
  remember(minute) {
    const before = minute.slice(0, Math.max(0, minute.length - this.trend.length));
    const known = before.slice(before.findLastIndex((depth) => depth === null) + 1);
    this.trend = [...known, ...this.trend].slice(-TREND);
  }
}

/**
 * seen: when the server said so, by its clock; it tells the time after the queues. consumers: of
 * each named one, by its encoded name, the same two.
 */
class Queue extends Counted {
  constructor(key) {
    super();
    this.key = key;
    this.seen = Infinity;
    this.consumers = new Map();
  }

  /** The named consumer that most items wait for; undefined if there is none. */
  get furthest() {
    let found;
    for (const each of this.consumers.values())
      if (!found || each.stats.items > found.stats.items) found = each;
    return found;
  }
}

/** turnover: how often a queue came or went. heard: how often all there is was told, as it is after each break. */
export class Store {
  constructor() {
    this.queues = new Map();
    this.turnover = 0;
    this.all = new Counted();
    this.time = undefined;
    this.fresh = null;
    this.heard = 0;
    this.recalled = 0;
    this.watchers = new Set();
  }

  /** Calls it after each change; returns what ends that. */
  watch(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** The queue of that name, in whichever spelling; undefined if there is none. */
  queue(name) {
    return this.queues.get(encoded(name));
  }

  /**
   * The age of the oldest item, of a consumer, too: it grows while nothing is said. Of what is not due nobody
   * waits for any. Of a queue that has failed it is not known: what is said then is how many items there were.
   */
  age(queue) {
    const { age, items, delayed = 0, state } = queue.stats;
    if (state === "failed") return undefined;
    return age !== undefined && items > delayed ? age + Math.max(0, this.time - queue.seen) : age;
  }

  /**
   * One `stats` event. What is said of one moment comes in parts: the first of all there is says so, and the
   * last one has the totals.
   */
  take({ all, totals, gone = [], queues = [] }) {
    if (all) this.fresh = new Set();
    for (const name of gone) this.forget(name);
    for (const told of queues) this.learn(told);
    if (!totals) return;
    this.time = totals.time;
    this.all.stats = saidOfAll(totals);
    if (this.fresh) this.begin();
    this.all.note();
    for (const queue of this.queues.values()) {
      const consumers = [...queue.consumers.values()];
      for (const each of [queue, ...consumers]) each.seen = Math.min(each.seen, this.time);
      queue.stats.lagging = consumers.some((each) => each.stats.lagging); // the queue's own never does
      queue.note();
    }
    for (const watcher of [...this.watchers]) watcher();
  }

  begin() {
    for (const key of this.queues.keys()) this.fresh.has(key) || this.remove(key);
    for (const each of [this.all, ...this.queues.values()]) each.begin();
    this.heard += 1;
    this.fresh = null;
  }

  learn(told) {
    const key = encoded(told.name);
    if (told.consumer) {
      const stats = { ...said(told), name: told.consumer, text: told.text || told.consumer };
      this.queues.get(key)?.consumers.set(encoded(told.consumer), { stats, seen: Infinity });
      return;
    }
    if (!this.queues.has(key)) {
      this.queues.set(key, new Queue(key));
      this.turnover += 1;
    }
    const queue = this.queues.get(key);
    queue.stats = said(told);
    queue.seen = Infinity;
    if (this.fresh && !this.fresh.has(key)) queue.consumers.clear(); // they follow it
    this.fresh?.add(key);
  }

  remove(key) {
    if (this.queues.delete(key)) this.turnover += 1;
  }

  /** A queue, or one of its consumers: in what is encoded, a plain "+" is between the two. */
  forget(name) {
    const [queue, consumer] = name.split("+");
    if (consumer === undefined) this.remove(encoded(queue));
    else this.queues.get(encoded(queue))?.consumers.delete(encoded(consumer));
  }
}
