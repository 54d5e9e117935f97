// The panel of the scene: background, what is drawn, pictures and figures.
import type { Stage } from '../stage/stage';
import { byId, el } from './dom';

const SWATCHES = ['#ffffff', '#eef0f4', '#9aa3af', '#3a4250', '#16181d', '#000000', '#c9d7e8', '#e8d9c9'];
const SIZES = [512, 1024, 2048] as const; // pixels on a side, beside the size that is shown
const AUTOMATIC = { light: '#eef0f4', dark: '#16181d' } as const;

export class ScenePanel {
  readonly element = el('div', { class: 'scene' });
  private chosen: string | null | 'auto' = 'auto';
  private readonly buttons: { button: HTMLElement; value: string | null }[] = [];

  /** save is called with the pixels on a side, or nothing for a picture as it is shown. */
  constructor(
    private readonly stage: Stage,
    save: (size?: number) => void,
    record: () => void,
  ) {
    const swatches = el('div', { class: 'swatches', role: 'group', 'aria-label': 'Background' });
    const add = (value: string | null, title: string): void => {
      const button = el('button', { type: 'button', class: `swatch ${value ?? 'none'}`, title, 'aria-label': `Background ${title}` });
      if (value === 'auto') button.textContent = 'Auto';
      else if (value) button.style.backgroundColor = value;
      button.addEventListener('click', () => this.choose(value));
      this.buttons.push({ button, value });
      swatches.append(button);
    };
    add('auto', 'as the theme');
    for (const color of SWATCHES) add(color, color);
    add(null, 'transparent');
    const custom = el('input', { type: 'color', value: '#8899aa', 'aria-label': 'Background, own colour', title: 'Own colour' });
    custom.addEventListener('input', () => this.choose(custom.value));
    swatches.append(custom);
    const sizes = el('select', { class: 'field', 'aria-label': 'Size of the picture' }, new Option('As shown', ''));
    for (const size of SIZES) sizes.add(new Option(`${size} × ${size}`, String(size)));
    const picture = el('button', { type: 'button', class: 'button' }, 'Save a picture');
    picture.addEventListener('click', () => save(Number(sizes.value) || undefined));
    const film = el('button', { type: 'button', class: 'button' }, 'Record a film');
    film.addEventListener('click', record);
    this.element.append(
      el('h2', {}, 'Background'),
      swatches,
      el('h2', {}, 'Picture and film'),
      el('div', { class: 'row' }, sizes, picture),
      el('div', { class: 'row' }, film),
      el('p', { class: 'hint' }, 'Pictures are PNG, transparent where the background is. Films are WebM of what is shown.'),
    );
    this.apply();
  }

  /** Takes a colour, null for transparent, or "auto" for one that fits the theme. */
  choose(value: string | null): void {
    this.chosen = value;
    this.apply();
  }

  apply(): void {
    const theme = document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light';
    const color = this.chosen === 'auto' ? AUTOMATIC[theme] : this.chosen;
    this.stage.setBackground(color);
    byId('viewport').classList.toggle('see-through', color === null);
    byId('viewport').style.setProperty('--backdrop', color ?? 'transparent');
    for (const { button, value } of this.buttons) button.setAttribute('aria-pressed', String(value === this.chosen));
  }
}
