// @ts-check
// FlowView's own API, and its live feed.

/** @param {string} path @param {Record<string, string | undefined>} [query] @returns {Promise<any>} */
export async function get(path, query = {}) {
  const parameters = new URLSearchParams(Object.entries(query).flatMap(([key, value]) => value ? [[key, value]] : []));
  const answer = await fetch(`api/${path}${parameters.size ? `?${parameters}` : ''}`, { headers: { Accept: 'application/json' } });
  if (!answer.ok) throw await problemOf(answer);
  return answer.json();
}

/** A failure with the sentence of the server, if it gave one. */
export class Failure extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * Notifies the listener of what has arrived, a few times a second at most. It connects again by itself. Changes from before a
 * connection are unknown: the listener reloads at each `live`.
 * @param {{ change: (change: { traces: string[] | null }) => void, state: (state: 'live' | 'lost') => void }} listener
 */
export function listen(listener) {
  const source = new EventSource('api/events');
  source.addEventListener('hello', () => listener.state('live'));
  source.addEventListener('change', event => listener.change(JSON.parse(event.data)));
  source.addEventListener('error', () => {
    listener.state('lost');
    // The connection was refused. The browser itself retries only interrupted ones.
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
