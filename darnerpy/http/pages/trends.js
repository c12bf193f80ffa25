// What the server remembers of the last minute, for the small lines: of all, and of queues that come into
// sight.
//
// Owns that each is asked for once after each break, as many in one request as its address may name, and not
// more often than once a second.

import { json } from "./api.js";

const MOST = 100;
const LONGEST = 7000; // of names in an address, of which the server takes 8192 bytes
const REST = 1000;

/** Of all together. */
export async function recall(store) {
  const { heard } = store;
  if (store.recalled === heard) return;
  store.recalled = heard;
  try {
    const { items } = await json("GET", "v1/history", { parameters: { range: "1m" } });
    if (store.heard === heard) store.all.remember(items);
  } catch {
    // The line begins now, then.
  }
}

/** As many of the first ones as go into one address. */
function some(keys) {
  let length = 0;
  const end = keys.findIndex((key) => (length += encodeURIComponent(`,${key}`).length) > LONGEST);
  return keys.slice(0, Math.min(MOST, end < 0 ? MOST : end));
}

export class Trends {
  constructor(store) {
    this.store = store;
    this.asked = new Set();
    this.heard = 0;
    this.next = 0;
  }

  /** keys: of the queues in sight. */
  async see(keys) {
    const { heard } = this.store;
    if (this.heard !== heard) this.asked.clear();
    this.heard = heard;
    const wanted = some(keys.filter((key) => !this.asked.has(key)));
    const now = performance.now();
    if (!wanted.length || now < this.next) return;
    this.next = now + REST;
    for (const key of wanted) this.asked.add(key);
    try {
      const { queues } = await json("GET", "v1/history", {
        parameters: { range: "1m", queues: wanted.join(",") },
      });
      if (this.store.heard !== heard) return;
      for (const [name, depths] of Object.entries(queues)) this.store.queue(name)?.remember(depths);
    } catch {
      // The lines begin now, then.
    }
  }
}
