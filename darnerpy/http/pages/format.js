// Numbers, sizes, times and ages in as few characters as can be read at a glance.
//
// Owns how each is written. What is not known is a dash.

const UNKNOWN = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hour12: false });

const known = (value) => value !== undefined && value !== null && !Number.isNaN(value);

/** 12,345 and 12.35M: full up to seven digits. */
export function count(value) {
  if (!known(value)) return UNKNOWN;
  return Math.abs(value) < 1e7 ? whole.format(value) : short.format(value);
}

/** Every digit, where exactness is the point. */
export function exact(value) {
  return known(value) ? whole.format(value) : UNKNOWN;
}

/** A number of things and their word: "1 item", "12 items". */
export function some(value, one, many = `${one}s`) {
  return `${exact(value)} ${value === 1 ? one : many}`;
}

/** How often a second. */
export function rate(value) {
  if (!known(value)) return UNKNOWN;
  if (value === 0) return "0";
  if (value < 0.1) return "<0.1";
  if (value < 100) return tenths.format(value);
  return value < 1e5 ? whole.format(value) : short.format(value);
}

/** Bytes, in the units of the configuration file. */
export function size(bytes) {
  if (!known(bytes)) return UNKNOWN;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 99.95 && unit > 0 ? tenths.format(value) : whole.format(value)} ${units[unit]}`;
}

/** How long, from milliseconds: two units at most. */
export function duration(ms) {
  if (!known(ms)) return UNKNOWN;
  if (ms <= 0) return "0";
  if (ms < 1000) return `${whole.format(ms)} ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 10) return `${tenths.format(Math.floor(ms / 100) / 10)} s`;
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return both(minutes, "m", seconds % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return both(hours, "h", minutes % 60, "m");
  return both(Math.floor(hours / 24), "d", hours % 24, "h");
}

function both(large, unit, small, rest) {
  return `${whole.format(large)} ${unit}${small ? ` ${small} ${rest}` : ""}`;
}

/** Some milliseconds, to the tenth. */
export function latency(ms) {
  if (!known(ms)) return UNKNOWN;
  return ms < 100 ? `${tenths.format(ms)} ms` : duration(ms);
}

/** The time of day, from milliseconds since the epoch. */
export function clock(ms) {
  return known(ms) ? time.format(ms) : UNKNOWN;
}

/** The time of day, to the minute. */
export function hour(ms) {
  return minute.format(ms);
}

/** Day and time, from milliseconds since the epoch. */
export function moment(ms) {
  return known(ms) ? date.format(ms) : UNKNOWN;
}
