// FlowView's ladder is JavaScript without a build; ladder.js and drawing.js describe these types.
declare module '*/FlowView/wwwroot/ladder/ladder.js' {
  export function ladderOf(spans: readonly unknown[]): { rows: readonly unknown[] };
}
declare module '*/FlowView/wwwroot/ladder/drawing.js' {
  export interface Shape { tag: string }
  export type Paint = (colour: string) => string;
  export const fromPage: Paint;
  export function draw(ladder: { rows: readonly unknown[] }, paint: Paint): Shape;
  export function toElement(shape: Shape): SVGElement;
}
