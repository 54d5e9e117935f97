// The panel of the scene: background, what is drawn, pictures and figures.
import type { Stage } from '../stage/stage';
import { byId, el } from './dom';

const SWATCHES = ['#ffffff', '#eef0f4', '#9aa3af', '#3a4250', '#16181d', '#000000', '#c9d7e8', '#e8d9c9'];
const AUTOMATIC = { light: '#eef0f4', dark: '#16181d' } as const;

export class ScenePanel {
  readonly element = el('div', { class: 'scene' });
  private chosen: string | null | 'auto' = 'auto';
  private readonly buttons: { button: HTMLElement; value: string | null }[] = [];

  constructor(private readonly stage: Stage) {
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
    this.element.append(el('h2', {}, 'Background'), swatches);
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
