import { stepNumbers } from '../../shared/ladder/figure.ts';
import { texts } from '../../shared/texts/language.ts';

/** The words of the story: those of everyday life, or those of the standard. The browser remembers the choice. */
export type Words = 'plain' | 'standard';

export const places = ['user', 'wic', 'wwsf', 'waf', 'turn', 'peer', 'ep-cscf', 'redis'] as const;
export type Place = typeof places[number];

const key = 'words';
const changes = new EventTarget();

export function chosenWords(): Words {
  return localStorage.getItem(key) === 'plain' ? 'plain' : 'standard';
}

export function chooseWords(words: Words): void {
  localStorage.setItem(key, words);
  applyWords();
  changes.dispatchEvent(new Event('change'));
}

export function onWords(changed: () => void): void {
  changes.addEventListener('change', changed);
}

/** Name and role of a part. */
export function placeWords(place: Place, words = chosenWords()): { name: string; role: string } {
  if (words === 'plain') return texts.plain.lanes[place];
  if (place === 'user' || place === 'wic' || place === 'wwsf' || place === 'waf' || place === 'turn') return texts.steps.lanes[place];
  return place === 'peer' ? texts.stage.otherSide : texts.ladder.lanes[place];
}

/** Title and sentence of a step, or of what follows the last one. */
export function stepWords(number: number, words = chosenWords()): { title: string; text: string } {
  const step = stepNumbers[number - 1];
  if (step === undefined) return words === 'plain' ? texts.plain.connecting : texts.stage.connecting;
  return words === 'plain' ? texts.plain.steps[step] : texts.steps[step];
}

/** Writes the labels of the page's own story in the chosen words: steps, lanes, media path and figures. */
export function applyWords(): void {
  const words = chosenWords();
  for (const [index] of stepNumbers.entries()) {
    const { title, text } = stepWords(index + 1, words);
    write(`#step-${index + 1} .title`, title);
    write(`#step-${index + 1} .note`, text);
  }
  const lanes = document.querySelectorAll('#lane-names .lane-name');
  lanes.forEach((lane, index) => {
    const { name, role } = placeWords(places[index]!, words);
    if (lane.firstChild) lane.firstChild.nodeValue = name;
    const small = lane.querySelector('small');
    if (small) small.textContent = role;
  });
  const page: Readonly<Record<string, string>> = texts.page;
  for (const [name, plain] of Object.entries(texts.plain.page)) write(`main [data-text="${name}"]`, words === 'plain' ? plain : page[name]!);
  for (const button of document.querySelectorAll('[data-words]')) button.ariaPressed = String(button.getAttribute('data-words') === words);
}

function write(selector: string, text: string): void {
  for (const element of document.querySelectorAll(selector)) element.textContent = text;
}
