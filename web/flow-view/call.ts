import { el } from '../shared/dom.ts';
import { reasonOf } from '../shared/ladder/ladder.ts';
import { type Language, language } from '../shared/texts/language.ts';
import type { Call } from './api.ts';

// Words for a call. The server classifies it; the reasons are those of the ladder.

export function callName(call: Call, { texts }: Language = language): string {
  return textFor(texts.flow.kinds, call.kind) ?? (call.name || texts.flow.noName);
}

export function outcomeText(call: Call, { texts }: Language = language): string {
  const outcome = textFor(texts.flow.outcomes, call.outcome) ?? call.outcome;
  return call.outcome === 'worked' ? `✓ ${outcome}` : call.outcome === 'failed' ? `✗ ${outcome}` : outcome;
}

/** Why it failed. A call can work although a part of it failed; the text says so. */
export function reasonText(call: Call, reader: Language = language): string {
  if (!call.cause || call.outcome === 'cancelled') return '';
  const { flow } = reader.texts;
  const cause = reasonOf(call.cause, reader);
  const reason = call.failed_step ? flow.atStep(call.failed_step, cause) : cause;
  return call.outcome === 'failed' ? reason : flow.partFailed(reason);
}

/** The packets that the caller missed; empty if its page has not reported them. */
export function packetsText(call: Call, { texts, formats }: Language = language): string {
  if (call.packets_lost === null || call.packets_received === null) return '';
  return texts.flow.packetsLost(formats.count(call.packets_lost), formats.count(call.packets_received + call.packets_lost));
}

/** A short pseudonym. Its title is the whole pseudonym, as a search finds it. */
export function personTag(person: string): HTMLElement {
  const [kind = '', pseudonym = ''] = person.split(' ');
  return el('span', { class: 'person', title: person }, `${kind} ${pseudonym.slice(0, 8)}`);
}

function textFor(texts: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(texts, key) ? texts[key] : undefined;
}
