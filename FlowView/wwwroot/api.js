// @ts-check
// FlowView's own API, and its live feed.

/** @param {string} path @param {Record<string, string | undefined>} [query] @returns {Promise<any>} */
export async function get(path, query = {}) {
  const parameters = new URLSearchParams(Object.entries(query).flatMap(([key, value]) => value ? [[key, value]] : []));
  const answer = await fetch(`api/${path}${parameters.size ? `?${parameters}` : ''}`, { headers: { Accept: 'application/json' } });
  if (!answer.ok) throw await problemOf(answer);
  return answer.json();
}

/** A command. The header tells the server that no other site's page sends it. @param {string} path */
export async function post(path) {
  const answer = await fetch(`api/${path}`, { method: 'POST', headers: { 'X-FlowView-Command': '1' } });
  if (!answer.ok) throw await problemOf(answer);
}

/** A failure with the sentence of the server, where it gave one. */
export class Failure extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * Tells what has arrived, a few times a second at most; connects again by itself. Each connection begins with a reload of
 * everything: of what arrived before it nobody was told.
 * @param {{ change: (change: { spans: boolean, logs: boolean, metrics: boolean, traces: string[] | null }) => void,
 *   state: (state: 'live' | 'lost') => void }} listener
 */
export function listen(listener) {
  const source = new EventSource('api/events');
  source.addEventListener('hello', () => {
    listener.state('live');
    listener.change({ spans: true, logs: true, metrics: true, traces: null });
  });
  source.addEventListener('change', event => listener.change(JSON.parse(event.data)));
  source.addEventListener('error', () => {
    listener.state('lost');
    // Refused, not interrupted: the browser would not try again.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(listener), 5000);
  });
}

/** @param {Response} answer */
async function problemOf(answer) {
  try {
    const { detail, title } = await answer.json();
    return new Failure(answer.status, detail ?? title);
  } catch {
    return new Failure(answer.status, `FlowView answered ${answer.status}.`);
  }
}
