// The data of an item to look at: as text, as JSON or as bytes.
//
// Owns what data looks like text, and the form of a hex dump. What comes out is text, never markup.

const BYTES = 4096; // of a hex dump; more of it nobody reads
const DEEPEST = 32; // so far lines are moved in
const LARGEST = 1 << 20; // of JSON as lines; more of it stops the page
const LIKELY = /^\s*[[{"]/;

export const VIEWS = { auto: "Auto", text: "Text", json: "JSON", hex: "Hex" };

export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** The text that the bytes are; null if they are none, or have controls in them. cut: more of them follow. */
function textOf(bytes, { fatal = true, cut = false } = {}) {
  try {
    const text = new TextDecoder("utf-8", { fatal, ignoreBOM: true }).decode(bytes, { stream: cut });
    return fatal && /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** JSON as lines. What is cut, or would be too much as lines, stays as it is; null if it is none. */
function jsonOf(text, cut) {
  if (cut) return LIKELY.test(text) ? { text, as: "text" } : null;
  try {
    // Large numbers and the order of keys stay as they are: it is only laid out.
    JSON.parse(text);
  } catch {
    return null;
  }
  const laid = laidOut(text);
  return laid === null ? { text, as: "text" } : { text: laid, as: "json" };
}

/** JSON that is right, with line breaks: token by token, so that no value is changed. null: it is too much. */
function laidOut(text) {
  const parts = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let out = "";
  let depth = 0;
  const line = () => `\n${"  ".repeat(Math.min(depth, DEEPEST))}`;
  for (const [at, part] of parts.entries()) {
    if (out.length > LARGEST) return null;
    const empty = /^[{[]$/.test(part) && /^[}\]]$/.test(parts[at + 1] ?? "");
    const closes = /^[}\]]$/.test(part) && /^[{[]$/.test(parts[at - 1] ?? "");
    if (/^[{[]$/.test(part)) {
      depth += 1;
      out += empty ? part : part + line();
    } else if (/^[}\]]$/.test(part)) {
      depth -= 1;
      out += closes ? part : line() + part;
    } else if (part === ",") out += part + line();
    else if (part === ":") out += ": ";
    else out += part;
  }
  return out;
}

export function hexOf(bytes, size = bytes.length) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, BYTES); at += 16) {
    const some = Array.from(bytes.subarray(at, Math.min(at + 16, BYTES)));
    const pairs = some.map((byte) => byte.toString(16).padStart(2, "0"));
    const left = pairs.slice(0, 8).join(" ").padEnd(24);
    const right = pairs.slice(8).join(" ").padEnd(24);
    const plain = some
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."))
      .join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${left} ${right} ${plain}`);
  }
  if (size > BYTES) lines.push(`… ${size - BYTES} bytes more`);
  return lines.join("\n");
}

/**
 * { text, as }: data as that view shows it, and which it is. Bytes that are no text have marks in it.
 * size: of the item, of which the bytes may be only the beginning.
 */
export function view(bytes, wanted, size = bytes.length) {
  const cut = bytes.length < size;
  const text = textOf(bytes, { cut });
  if (text !== null && (wanted === "json" || (wanted === "auto" && LIKELY.test(text)))) {
    const json = jsonOf(text, cut);
    if (json !== null) return json;
  }
  if (wanted === "json") return { text: "This is not JSON.", as: "none" };
  if (wanted === "text") return { text: textOf(bytes, { fatal: false, cut }), as: "text" };
  if (wanted === "auto" && text !== null) return { text, as: "text" };
  return { text: hexOf(bytes, size), as: "hex" };
}

/** The beginning of the data in one line. */
export function glimpse(bytes) {
  const text = textOf(bytes.subarray(0, 200), { fatal: false, cut: bytes.length > 200 });
  const clean = text.replace(/\s+/g, " ").replace(/[\u0000-\u001f\u007f]/g, "·");
  return bytes.length ? clean : "(empty)";
}
