// Requests to the server this page came from.
//
// Owns how one is asked and how a refusal reads: every one becomes a Problem that says in words what the
// server said. Where a token is wanted it asks for one and asks again. URLs are relative, so that the
// page also works below a path of a proxy.

import { encoded } from "./names.js";
import { token } from "./token.js";

/** What the server refused, or could not be asked. status: 0 if no answer came. */
export class Problem extends Error {
  constructor(status, title, detail, more = {}) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.more = more;
  }
}

const TITLES = {
  0: "The server does not answer",
  400: "The server did not understand that",
  401: "A token is needed",
  403: "That is not allowed",
  404: "There is no such thing",
  409: "It is there already, and different",
  410: "It is over",
  413: "That is too large",
  421: "The server is not known by this address",
  429: "The queue is full",
  500: "The server failed",
  503: "That cannot be done at the moment",
  507: "The disk is full",
};

async function problemOf(response) {
  let said = {};
  try {
    said = await response.json();
  } catch {
    // Not the server's own words: a proxy's, or none.
  }
  const title = TITLES[response.status] ?? said.title ?? response.statusText;
  const detail = said.detail ?? `The answer was ${response.status} ${response.statusText}`.trim();
  return new Problem(response.status, title, detail, said);
}

/** A value of a parameter that is percent-encoded already: a name is bytes, and not always text. */
export class Encoded {
  constructor(text) {
    this.text = text;
  }
}

/** A path and its parameters; those that are null, undefined or "" are left out. */
function url(path, parameters = {}) {
  const query = Object.entries(parameters)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => `${name}=${value instanceof Encoded ? value.text : encodeURIComponent(value)}`)
    .join("&");
  return query ? `${path}${path.includes("?") ? "&" : "?"}${query}` : path;
}

/** The answer, if the server agreed; else throws a Problem. asking, asked: called around each request. */
export async function ask(method, path, { parameters, headers, body, signal, asking, asked } = {}) {
  for (;;) {
    const used = token.value;
    let response;
    asking?.();
    try {
      response = await fetch(url(path, parameters), {
        method,
        body,
        signal,
        headers: { ...headers, ...(used && { Authorization: `Bearer ${used}` }) },
        cache: "no-store",
        redirect: "error",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem(0, TITLES[0], "No answer came from the server. It may be down, or the network is.");
    } finally {
      asked?.();
    }
    if (response.ok) return response;
    if (response.status !== 401) throw await problemOf(response);
    await token.renew(used);
  }
}

export async function json(method, path, options) {
  const response = await ask(method, path, options);
  return response.status === 204 ? null : response.json();
}

const isFolder = (name) => /^\.\.?$/.test(encoded(name));

/**
 * The address of a queue, or of something of it. A browser takes "." and ".." for folders: whoever dropped a
 * consumer of that name would ask for the queue to be deleted.
 */
export function of(name, ...rest) {
  const [what, whose] = rest;
  if (what === "consumers" && isFolder(whose)) return `v1/queue/consumer?queue=${name}&consumer=${whose}`;
  if (isFolder(name)) return `${["v1/queue", ...rest].join("/")}?queue=${name}`;
  return ["v1/queues", name, ...rest].join("/");
}
