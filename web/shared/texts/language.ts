import { de } from './de.ts';
import { en, type Texts } from './en.ts';
import { Formats } from './formats.ts';

/** Add a language here: its catalogue must have every text of the English one. */
export const catalogues = { en, de } satisfies Record<string, Texts>;

export interface Language {
  readonly tag: keyof typeof catalogues;
  readonly texts: Texts;
  readonly formats: Formats;
}

/** The first preferred language that has a catalogue, else English. Numbers and dates follow its region. */
export function languageFor(preferred: readonly string[]): Language {
  const locale = preferred.find(tag => languageOf(tag) in catalogues) ?? 'en';
  const tag = languageOf(locale) as keyof typeof catalogues;
  return { tag, texts: catalogues[tag], formats: new Formats(locale) };
}

function languageOf(tag: string): string {
  return tag.split('-', 1)[0]!.toLowerCase();
}

/** The reader's language, as the browser says. */
export const language = languageFor(globalThis.navigator?.languages ?? []);
export const { texts, formats } = language;
