type PluralForms = { other: string } & Partial<Record<Intl.LDMLPluralRule, string>>;

/** Picks the plural form of a count and writes the number in place of `#`. */
export function counting(locale: string): (count: number, forms: PluralForms) => string {
  const rules = new Intl.PluralRules(locale);
  const numbers = new Intl.NumberFormat(locale);
  return (count, forms) => (forms[rules.select(count)] ?? forms.other).replace('#', numbers.format(count));
}

/** Numbers, times and dates as the reader's language writes them. */
export class Formats {
  readonly #whole: Intl.NumberFormat;
  readonly #ungrouped: Intl.NumberFormat;
  readonly #oneDigit: Intl.NumberFormat;
  readonly #clockTime: Intl.DateTimeFormat;
  readonly #time: Intl.DateTimeFormat;
  readonly #day: Intl.DateTimeFormat;
  readonly #dateTime: Intl.DateTimeFormat;

  constructor(locale: string) {
    this.#whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
    this.#ungrouped = new Intl.NumberFormat(locale, { maximumFractionDigits: 0, useGrouping: false });
    this.#oneDigit = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1, useGrouping: false });
    this.#clockTime = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' });
    this.#time = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
    this.#day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
    this.#dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  }

  count(value: number): string {
    return this.#whole.format(value);
  }

  size(bytes: number): string {
    if (bytes < 1000) return `${bytes} B`;
    return bytes < 1_000_000 ? `${this.#ungrouped.format(bytes / 1000)} kB` : `${this.#oneDigit.format(bytes / 1_000_000)} MB`;
  }

  /** 0.42 → "0.4 ms", 12.3 → "12 ms", 2345 → "2.3 s". */
  duration(milliseconds: number): string {
    if (milliseconds >= 1000) return `${this.#oneDigit.format(milliseconds / 1000)} s`;
    return `${(milliseconds < 10 ? this.#oneDigit : this.#ungrouped).format(milliseconds)} ms`;
  }

  /** Tenths of a millisecond, all with one digit, so that a reader can add them up: 1234 → "123.4 ms". */
  tenths(tenths: number): string {
    return `${this.#oneDigit.format(tenths / 10)} ms`;
  }

  /** For the ladder, from microseconds to minutes. */
  spanDuration(milliseconds: number): string {
    if (milliseconds < 1) return `${Math.round(milliseconds * 1000)} µs`;
    if (milliseconds < 100) return `${this.#oneDigit.format(milliseconds)} ms`;
    if (milliseconds < 10_000) return `${this.#ungrouped.format(milliseconds)} ms`;
    return milliseconds < 120_000 ? `${this.#oneDigit.format(milliseconds / 1000)} s` : `${Math.round(milliseconds / 60_000)} min`;
  }

  /** The time of day to a millisecond. */
  clockTime(sinceEpoch: number): string {
    return this.#clockTime.format(sinceEpoch);
  }

  /** The time of day, in hours and minutes. */
  time(sinceEpoch: number): string {
    return this.#time.format(sinceEpoch);
  }

  /** Day and month. */
  day(sinceEpoch: number): string {
    return this.#day.format(sinceEpoch);
  }

  dateTime(sinceEpoch: number): string {
    return this.#dateTime.format(sinceEpoch);
  }
}

/** 75 → "1:15", 3675 → "1:01:15". Never negative. The same in every language. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
