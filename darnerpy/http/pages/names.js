// Names of queues and consumers: bytes, so they are addressed percent-encoded and shown as text.
//
// Owns both forms. Two spellings of one name become the same string here, so that they can be compared and
// be keys; what is shown has no character that could hide or turn round what stands beside it.

const PLAIN = /[A-Za-z0-9_.~-]/;

// Controls, blanks, what is not drawn and what changes the direction of writing.
const UNSEEN = /[\p{Cc}\p{White_Space}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu;

/** The bytes of a percent-encoded name; a "%" that begins no such pair is itself. */
function bytesOf(name) {
  const bytes = [];
  const plain = new TextEncoder();
  for (let at = 0; at < name.length;) {
    const pair = name.slice(at, at + 3);
    if (/^%[0-9A-Fa-f]{2}$/.test(pair)) {
      bytes.push(parseInt(pair.slice(1), 16));
      at += 3;
    } else {
      const character = String.fromCodePoint(name.codePointAt(at));
      bytes.push(...plain.encode(character));
      at += character.length;
    }
  }
  return bytes;
}

/** One spelling for each name, and one that may stand in a path. */
export function encoded(name) {
  return bytesOf(name)
    .map((byte) => {
      const character = String.fromCharCode(byte);
      if (PLAIN.test(character)) return character;
      return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

/** What somebody has typed, as a name in a path. Blanks beyond ASCII may be a part of it. */
export function typed(text) {
  return encoded(encodeURIComponent(text.replace(/^[\t-\r ]+|[\t-\r ]+$/g, "")));
}

/** A name to look at, from its text or from its percent-encoded form. */
export function shown(text) {
  return text.replace(UNSEEN, (character) => {
    const code = character.codePointAt(0).toString(16);
    if (code.length > 4) return `\\u{${code}}`;
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

/** A percent-encoded name to look at, where the server has not said how it reads. */
export function decoded(name) {
  const bytes = Uint8Array.from(bytesOf(name));
  try {
    return shown(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return shown(
      Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`)).join(
        "",
      ),
    );
  }
}
