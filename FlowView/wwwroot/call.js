// @ts-check
// Words for a call. The server classifies it; the reasons are those of the ladder.
import { el } from './dom.js';
import { reasonOf } from './ladder/ladder.js';

/**
 * A call as the API has it.
 * @typedef {{ id: string, kind: string, outcome: string, name: string, who: string[], cause: import('./ladder/ladder.js').Span | null,
 *   failed_step: string, start: number, duration: number, set_up: number | null, spans: number, steps: string[] }} Call
 */

/** @type {Readonly<Record<string, string>>} */
const names = { echo: 'Echo call', person: 'Call to a person', demo_line: 'Call to the demo line', registration: 'Registration', relay_only: 'Relay only', signalling: 'Signalling' };

/** @type {Readonly<Record<string, string>>} */
const outcomes = { worked: '✓ Worked', failed: '✗ Failed', cancelled: 'Cancelled', in_progress: 'In progress' };

/** @param {Call} call */
export function callName(call) {
  return names[call.kind] ?? (call.name || '(no name)');
}

/** @param {Call} call */
export function outcomeText(call) {
  return outcomes[call.outcome] ?? call.outcome;
}

/** Why it failed. A call can work although a part of it failed; that is told as well. @param {Call} call */
export function reasonText(call) {
  if (!call.cause || call.outcome === 'cancelled') return '';
  const reason = `${call.failed_step && `step ${call.failed_step}: `}${reasonOf(call.cause)}`;
  return call.outcome === 'failed' ? reason : `A part failed: ${reason}`;
}

/** A pseudonym, short. The whole of it is the title, and text to search for. @param {string} person */
export function personTag(person) {
  const [kind = '', pseudonym = ''] = person.split(' ');
  return el('span', { class: 'person', title: person }, `${kind} ${pseudonym.slice(0, 8)}`);
}
