// Elements, made and changed without ever reading text as markup.
//
// Owns the one way this page makes elements: what is given as a child is an element or becomes text. What
// is written to an element is only written when it differs, so that a page of numbers costs what changed.

/**
 * el("a", { class: "name", href: "#/", onclick: f }, "text", element, …)
 *
 * Names that begin with "on" are listeners; true and false set and leave out an attribute, and what is
 * null or undefined is left out.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else set(element, name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** An element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  element.append(...children);
  return element;
}

/** An attribute; null, undefined and false take it away. */
export function set(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Says whether the text was another one before. */
export function setText(element, text) {
  if (element.textContent === text) return false;
  element.textContent = text;
  return true;
}

/** A number, likewise; a zero is dimmed, so that the others stand out. */
export function setNumber(element, text) {
  element.classList.toggle("zero", /^0( B)?$/.test(text));
  return setText(element, text);
}

/** A name as people read it, whichever way its letters run. */
export function bdi(text) {
  return el("bdi", {}, text);
}
