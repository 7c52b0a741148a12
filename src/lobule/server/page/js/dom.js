/** Making elements. Text is always text: no string ever becomes markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an HTML element.
 *
 * @param {string} tag - its name, with classes after dots: `p.quiet`.
 * @param {object} [attributes] - attributes; `on` maps events to listeners; true is an empty attribute, null none.
 * @param {...(Node|string|number|null|undefined|Array)} children - what it holds.
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return filled(document.createElement(name), classes, attributes, children);
}

/** Make an SVG element; as `h`. */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), [], attributes, children);
}

/**
 * Put other children into an element.
 *
 * @param {Element} element
 * @param {...*} children - as for `h`.
 */
export function fill(element, ...children) {
  element.replaceChildren(...nodesOf(children));
  return element;
}

/** Set the text of an element, unless it says so already: a screen reader is not told twice. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show an element or not. */
export function show(element, visible) {
  element.hidden = !visible;
}

/** Make a text that only screen readers see. */
export const unseen = (text) => h("span.unseen", {}, text);

/** Make the elements of a list stand in the given order; what stands right is not touched, so that focus stays. */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  const focused = document.activeElement;
  let moved = false;
  children.forEach((child, place) => {
    if (parent.children[place] === child) return;
    parent.insertBefore(child, parent.children[place] ?? null);
    moved = true;
  });
  if (moved && focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}

function filled(element, classes, attributes, children) {
  if (classes.length) element.classList.add(...classes);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...nodesOf(children));
  return element;
}

function nodesOf(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}
