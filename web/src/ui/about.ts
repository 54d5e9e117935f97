// The panel about the avatar: where it comes from, how large it is, and the licences of the viewer's parts.
import type { Avatar } from '../core/avatar';
import { licences } from '../source';
import { el } from './dom';

const WORDS: Record<string, string> = {
  source: 'Made from', prior: 'Video prior', preset: 'Preset', seed: 'Seed', guidance: 'Guidance', version: 'zero1toa',
  synthetic: 'Synthetic', iterations: 'Steps', generator: 'Made by',
};

export class AboutPanel {
  readonly element = el('div', { class: 'about' });
  private readonly facts = el('dl', { class: 'facts' });

  constructor() {
    const text = el('pre', { class: 'licences', tabindex: 0, 'aria-label': 'Licence texts' }, '…');
    const details = el('details', { class: 'region' }, el('summary', {}, 'Licences of the viewer'), text);
    details.addEventListener('toggle', () => void licences().then((found) => (text.textContent = found)), { once: true });
    this.element.append(
      el('p', { class: 'notice' }, 'This head is synthetic: a computer made it from a picture. Show it only with the consent of the person it looks like, and say that it is synthetic.'),
      this.facts,
      details,
    );
  }

  show(avatar: Avatar, name: string): void {
    const rows: [string, string][] = [
      ['File', name],
      ['Size', `${(avatar.bytes / 1e6).toFixed(1)} MB`],
      ['Splats', avatar.splats.count.toLocaleString('en')],
      ['Triangles', (avatar.head.faces.length / 3).toLocaleString('en')],
      ['Head model', avatar.headModel],
    ];
    for (const [key, value] of Object.entries(avatar.provenance)) {
      const shown = value === true ? 'yes' : value === false ? 'no' : String(value);
      rows.push([WORDS[key] ?? key, shown]);
    }
    this.facts.replaceChildren(...rows.flatMap(([key, value]) => [el('dt', {}, key), el('dd', { title: value }, value)]));
  }
}
