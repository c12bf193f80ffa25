// What the server remembers of the last minute, for the small lines: of all, and of queues that come into
// sight.
//
// Owns that each is asked for once, many in one request, and not more often than once a second.

import { json } from "./api.js";

const MOST = 100;
const REST = 1000;

/** Of all together. */
export async function recall(store) {
  if (store.recalled) return;
  store.recalled = true;
  try {
    const { items } = await json("GET", "v1/history", { parameters: { range: "1m" } });
    store.all.remember(items);
  } catch {
    // The line begins now, then.
  }
}

export class Trends {
  constructor(store) {
    this.store = store;
    this.asked = new Set();
    this.next = 0;
  }

  /** keys: of the queues in sight. */
  async see(keys) {
    const wanted = keys.filter((key) => !this.asked.has(key)).slice(0, MOST);
    const now = performance.now();
    if (!wanted.length || now < this.next) return;
    this.next = now + REST;
    for (const key of wanted) this.asked.add(key);
    try {
      const { queues } = await json("GET", "v1/history", {
        parameters: { range: "1m", queues: wanted.join(",") },
      });
      for (const [name, depths] of Object.entries(queues)) this.store.queue(name)?.remember(depths);
    } catch {
      // The lines begin now, then.
    }
  }
}
