// @ts-check
// Makes elements without markup, so a text from a span cannot become an element.

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown>} [properties] `class`, `data-…`, `aria-…` and `role` as attributes, `on…` as listeners, else properties
 * @param {...(Node | string | undefined | false)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on') && typeof value === 'function') made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (/^(class$|data-|aria-|role$|for$|href$|list$|colspan$)/.test(name)) made.setAttribute(name, String(value));
    else Reflect.set(made, name, value);
  }
  made.append(...children.filter(child => child !== undefined && child !== false));
  return made;
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/** @param {number} milliseconds since 1970 */
export function clockTime(milliseconds) {
  const time = new Date(milliseconds);
  return `${time.toLocaleTimeString('en-GB')}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

/** @param {unknown} value */
export function valueText(value) {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Offers a file that the page made. @param {string} name @param {string} content @param {string} type */
export function download(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/**
 * A button that copies and confirms it.
 * @param {string} label @param {() => string} content @param {string} [testId]
 */
export function copyButton(label, content, testId) {
  const button = el('button', {
    type: 'button', class: 'small', 'data-testid': testId, onclick: async () => {
      await navigator.clipboard.writeText(content());
      button.textContent = 'Copied';
      setTimeout(() => { button.textContent = label; }, 1500);
    },
  }, label);
  return button;
}

/** A table of names and values. @param {Record<string, unknown>} pairs */
export function pairsTable(pairs) {
  return el('dl', { class: 'pairs' }, ...Object.entries(pairs).sort(([one], [other]) => one.localeCompare(other))
    .map(([key, value]) => el('div', {}, el('dt', {}, key), el('dd', {}, valueText(value)))));
}

/** The colour class of a service, the same on all pages. @param {string} service */
export function serviceColour(service) {
  const known = ['wic', 'wic-web', 'wwsf', 'waf', 'ep-cscf', 'turn', 'redis', 'peer'].indexOf(service);
  if (known >= 0) return `service-${known}`;
  let sum = 0;
  for (const character of service) sum = (sum * 31 + character.charCodeAt(0)) % 8;
  return `service-${sum}`;
}

/** @param {string} service */
export function serviceTag(service) {
  return el('span', { class: `service ${serviceColour(service)}` }, service);
}
