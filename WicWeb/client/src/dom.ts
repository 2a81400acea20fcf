/** The element with this id; index.html has all that are asked for. */
export function find<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no element with the id ${id}`);
  return found as T;
}

/** Shows what is true and hides the rest. */
export function show(visible: Record<string, boolean>): void {
  for (const [id, isVisible] of Object.entries(visible)) find(id).hidden = !isVisible;
}
