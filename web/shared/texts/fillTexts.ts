import { language } from './language.ts';

const attributes = { textLabel: 'aria-label', textTitle: 'title', textPlaceholder: 'placeholder', textContent: 'content' } as const;

/**
 * Writes the texts of a page that has none of its own: `data-text` names the text of an element, `data-text-label`, `-title`,
 * `-placeholder` and `-content` name the text of an attribute. So no reader sees the page in another language first.
 */
export function fillTexts(texts: Readonly<Record<string, string>>): void {
  document.documentElement.lang = language.tag;
  const text = (key: string) => {
    if (!Object.hasOwn(texts, key)) throw new Error(`The catalogue has no text ${key}.`);
    return texts[key]!;
  };
  for (const element of document.querySelectorAll<HTMLElement>('[data-text]')) element.textContent = text(element.dataset.text!);
  for (const [data, attribute] of Object.entries(attributes)) {
    const selector = `[data-${data.replace(/[A-Z]/, capital => `-${capital.toLowerCase()}`)}]`;
    for (const element of document.querySelectorAll<HTMLElement>(selector)) element.setAttribute(attribute, text(element.dataset[data]!));
  }
}
