// Makes elements without markup, so a text from a span cannot become an element.

/** `class`, `data-…`, `aria-…` and `role` become attributes, `on…` listeners, and other properties are set. */
export function el<T extends keyof HTMLElementTagNameMap>(
  tag: T, properties: Record<string, unknown> = {}, ...children: (Node | string | undefined | false)[]): HTMLElementTagNameMap[T] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on') && typeof value === 'function') made.addEventListener(name.slice(2), value as EventListener);
    else if (/^(class$|data-|aria-|role$|for$|href$|list$|colspan$)/.test(name)) made.setAttribute(name, String(value));
    else Reflect.set(made, name, value);
  }
  made.append(...children.filter(child => child !== undefined && child !== false));
  return made;
}

/** The element with this id, which the page must have. */
export function find<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element with the id ${id}`);
  return found as T;
}
