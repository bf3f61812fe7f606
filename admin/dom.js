// Elements are made here and nowhere else: what comes from the gateway becomes text, never markup. The page's
// policy (Trusted Types) refuses every other way.

/**
 * An element: `h("p", { class: "note", on: { click } }, "text", child)`. An attribute that is `true` is set
 * empty; one that is `false`, `null` or `undefined` is left out, and so is such a child.
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value === true) {
      element.setAttribute(key, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(key, String(value));
    }
  }
  element.append(...shown(children));
  return element;
}

/**
 * Puts other children into an element. Whatever had the focus keeps it, if there is an element with the same
 * `data-key` again.
 */
export function replace(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  parent.replaceChildren(...shown(children));
  if (focused !== undefined) {
    [...parent.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused)?.focus();
  }
}

/** Sets an element's text, unless it is the same: a live region would be read again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let count = 0;

/** An id that no other element has. */
export function freshId(word) {
  count += 1;
  return `${word}-${count}`;
}

function shown(children) {
  return children.flat(2).filter((child) => child !== false && child !== null && child !== undefined);
}
