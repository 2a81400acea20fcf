import type { Span } from '../shared/ladder/ladder.ts';
import { texts } from '../shared/texts/language.ts';
import { problemText } from '../shared/texts/problemText.ts';

// FlowView's own API, and its live feed.

export interface Call {
  id: string;
  kind: string;
  outcome: string;
  name: string;
  who: string[];
  cause: Span | null;
  failed_step: string;
  start: number;
  duration: number;
  set_up: number | null;
  spans: number;
  steps: string[];
  /** Traces are numbered as they begin to arrive. */
  arrival: number;
  /** What the caller's page has received and missed; null if it has not reported. */
  packets_received: number | null;
  packets_lost: number | null;
}

export interface CallList { traces: Call[]; matches: number }

type Attributes = Record<string, unknown>;
export interface ShownSpan extends Span {
  scope: string;
  resource: Attributes;
  events: { time: number; name: string; attributes: Attributes }[];
  links: { trace: string; span: string; attributes: Attributes }[];
}
export interface LogRecord { time: number; severity: number; text: string; category: string; service: string; span: string; attributes: Attributes }
export interface TraceDetails { call: Call; spans: ShownSpan[]; logs: LogRecord[]; meanwhile: LogRecord[]; viewers: { name: string; url: string }[] }

export async function get<T>(path: string, query: Record<string, string> = {}): Promise<T> {
  const parameters = new URLSearchParams(Object.entries(query).flatMap(([key, value]) => value ? [[key, value]] : []));
  const answer = await fetch(`api/${path}${parameters.size ? `?${parameters}` : ''}`, { headers: { Accept: 'application/json' } });
  if (!answer.ok) throw await failureOf(answer);
  return await answer.json() as T;
}

/** A failure with a sentence for the reader. */
export class Failure extends Error {}

/** The traces that got spans or log records; null for all. */
export interface Change { traces: string[] | null }

/**
 * Notifies the listener of changes, a few times a second at most. It connects again by itself. Changes before a connection are
 * unknown, so the listener reloads at each `live`.
 */
export function listen(listener: { change(change: Change): void; state(state: 'live' | 'lost'): void }): void {
  const source = new EventSource('api/events');
  source.addEventListener('hello', () => listener.state('live'));
  source.addEventListener('change', event => listener.change(JSON.parse(event.data as string) as Change));
  source.addEventListener('error', () => {
    listener.state('lost');
    // The connection was refused. The browser itself retries only interrupted ones.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(listener), 5000);
  });
}

async function failureOf(answer: Response): Promise<Failure> {
  const { code = '', detail, title } = await answer.json().catch(() => ({})) as { code?: string; detail?: string; title?: string };
  return new Failure(problemText({ code, detail: detail ?? title ?? texts.flow.answered(answer.status) }).text);
}
