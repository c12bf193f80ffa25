// What the part of the address behind "#" means, both ways.
//
// Owns its form: #/ and #/server, and #/q/NAME[/items|consumers|settings], each with parameters behind a "?".
// NAME is percent-encoded, whatever bytes are in it.

import { encoded } from "./names.js";

export const TABS = ["overview", "items", "consumers", "settings"];

/** { page: "queues" | "server" | "queue" | "nowhere", name, tab, parameters } */
export function parsed(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const parameters = new URLSearchParams(query);
  const parts = path.split("/").filter(Boolean);
  if (!parts.length) return { page: "queues", parameters };
  if (parts[0] === "server" && parts.length === 1) return { page: "server", parameters };
  if (parts[0] === "q" && parts[1] && parts.length <= 3) {
    const tab = parts[2] ?? "overview";
    if (TABS.includes(tab)) return { page: "queue", name: encoded(parts[1]), tab, parameters };
  }
  return { page: "nowhere", parameters };
}

/** Parameters that are "" or undefined are left out. */
export function toQueues(parameters = {}) {
  return `#/${query(parameters)}`;
}

export function toQueue(name, tab = "overview", parameters = {}) {
  return `#/q/${encoded(name)}${tab === "overview" ? "" : `/${tab}`}${query(parameters)}`;
}

function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

/** Another state of the same page: no step of its own in the history, and nobody is told. */
export function replace(hash) {
  if (location.hash !== hash) history.replaceState(history.state, "", hash);
}
