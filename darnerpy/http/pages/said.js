// What the server says of a queue or a consumer, under the names that this page has for it.
//
// Owns that the stream, the answer for one queue and the sum of all come to the same. Ages are milliseconds,
// sizes bytes; what is not known is undefined.

const NAMES = {
  items: "items",
  bytes: "bytes",
  age: "age",
  waiters: "waiters",
  delayed: "delayed",
  discarded: "discarded",
  damaged: "damaged_items",
  kept: "kept",
  open: "open_transactions",
  disk: "logsize",
  expired: "expired_items",
  cameDead: "received_dead",
  cameExpired: "received_expired",
  putRate: "put_rate",
  getRate: "get_rate",
};

export function said(told) {
  const { paused = "none", dead_lettered: dead, dropped } = told;
  const stats = {
    name: told.name,
    text: told.text || told.name,
    state: told.state ?? "ready",
    paused: { puts: paused === "puts" || paused === "both", gets: paused === "gets" || paused === "both" },
    lagging: Boolean(told.lagging),
    dead: dead === undefined ? undefined : dead + (dropped ?? 0),
  };
  for (const [here, there] of Object.entries(NAMES)) {
    if (told[there] !== undefined) stats[here] = told[there];
  }
  return stats;
}

/** Of the whole server. */
export function saidOfAll(told) {
  return {
    ...told,
    items: told.curr_items,
    open: told.open_transactions,
    disk: told.disk_bytes,
    putRate: told.put_rate,
    getRate: told.get_rate,
    commit: told.commit_p99 ?? undefined,
  };
}
