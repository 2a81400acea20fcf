import { encode } from 'uqr';
import { find } from '../../shared/dom.ts';
import { texts } from '../../shared/texts/language.ts';
import { invitationTo, isOnlyHere } from '../phone/invitation.ts';

/** The link by which others call this page, also as a QR code. */
export class Invitation {
  #shown: string | undefined;

  constructor() {
    const button = find('copy-link');
    const label = () => { button.textContent = texts.labels.copyLink; };
    label();
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(this.#shown ?? '');
      button.textContent = texts.labels.linkCopied;
      setTimeout(label, 2000);
    });
    // The code would send phones to themselves.
    const onlyHere = isOnlyHere(location.hostname);
    find('invite-only-here').hidden = !onlyHere;
    find('invite-qr').hidden = onlyHere;
  }

  render(impu: string | undefined): void {
    const link = impu && invitationTo(impu, location.origin);
    find('invite').hidden = !link;
    if (!link || link === this.#shown) return;
    this.#shown = link;
    const anchor = find<HTMLAnchorElement>('invite-link');
    anchor.href = anchor.textContent = link;
    find('invite-qr').replaceChildren(drawing(link));
  }
}

/** One path of squares. Black on white in every theme, because cameras expect it; four modules of margin (ISO/IEC 18004 §5.3.8). */
function drawing(text: string): SVGSVGElement {
  const { data, size } = encode(text, { ecc: 'M', border: 4 });
  const path = data.flatMap((row, y) => row.map((isDark, x) => isDark ? `M${x} ${y}h1v1h-1z` : '')).join('');
  const svg = node('svg', { viewBox: `0 0 ${size} ${size}`, 'aria-hidden': 'true', 'shape-rendering': 'crispEdges' });
  svg.append(node('rect', { width: String(size), height: String(size), fill: '#fff' }), node('path', { d: path, fill: '#000' }));
  return svg;
}

function node<T extends keyof SVGElementTagNameMap>(tag: T, attributes: Record<string, string>): SVGElementTagNameMap[T] {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
