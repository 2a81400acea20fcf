/** Figure X.5.3.2-1 of 3GPP TS 33.203: which part does each step, and towards which part. */
export const stepNumbers = ['1', '2', '3', '4', '5', '6', '7', '8'] as const;
export type StepNumber = typeof stepNumbers[number];

export const figure: Readonly<Record<StepNumber, { from: string; to: string }>> = {
  1: { from: 'user', to: 'wic' },
  2: { from: 'wic', to: 'wwsf' },
  3: { from: 'wwsf', to: 'wwsf' },
  4: { from: 'wwsf', to: 'waf' },
  5: { from: 'waf', to: 'waf' },
  6: { from: 'wwsf', to: 'wic' },
  7: { from: 'wic', to: 'wic' },
  8: { from: 'wic', to: 'turn' },
};

export function isStep(number: string): number is StepNumber {
  return Object.hasOwn(figure, number);
}
