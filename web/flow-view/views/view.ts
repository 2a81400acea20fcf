import type { Change } from '../api.ts';

/** A shown view, which is notified of changes. */
export interface View { changed(change: Change): void | Promise<void> }

/** Shows a view in its part of the page, for a path and a query of the address. */
export type Show = (main: HTMLElement, path: string[], query: URLSearchParams) => Promise<View>;
