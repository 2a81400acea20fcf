/** The element with this id, which the page must have. */
export function find<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element with the id ${id}`);
  return found as T;
}

/** Shows the elements with true and hides the others. */
export function show(visible: Record<string, boolean>): void {
  for (const [id, isVisible] of Object.entries(visible)) find(id).hidden = !isVisible;
}
