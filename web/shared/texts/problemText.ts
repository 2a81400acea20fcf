import { type Language, language } from './language.ts';

export interface ProblemText { title: string; text: string }

/** Title and sentence of a problem code. The server's own sentence serves for a code that has no text here. */
export function problemText({ code, detail }: { code: string; detail?: string | undefined }, { texts }: Language = language): ProblemText {
  const problems: Readonly<Record<string, readonly [string, string]>> = texts.problems;
  const [title, text] = Object.hasOwn(problems, code) ? problems[code]! : [texts.unknownProblem[0], detail ?? texts.unknownProblem[1]];
  return { title, text };
}
