// The panel of expressions: presets, search, a slider for each of the 52 shapes by region, and the turn of the head.
import { at, COUNT, label, mirrored, NAMES, namesOf, PRESETS, REGIONS, toArray } from '../core/arkit';
import type { HeadTurn, Player } from '../player';
import { el, toast } from './dom';

const TURNS: readonly { key: keyof HeadTurn; title: string; limit: number }[] = [
  { key: 'yaw', title: 'Turn', limit: 40 },
  { key: 'pitch', title: 'Nod', limit: 25 },
  { key: 'roll', title: 'Tilt', limit: 25 },
];

interface Row {
  shape: number;
  row: HTMLElement;
  input: HTMLInputElement;
  output: HTMLElement;
  value: number; // as shown
  live: number;
}

const VISIBLE = 0.004; // a smaller change of a weight is not shown

export class FacePanel {
  readonly element = el('div', { class: 'face' });
  private readonly rows: Row[] = [];
  private readonly turnInputs = new Map<keyof HeadTurn, { input: HTMLInputElement; output: HTMLElement }>();
  private readonly presets = el('div', { class: 'chips', role: 'group', 'aria-label': 'Expressions' });
  private readonly search = el('input', { type: 'search', placeholder: 'Search 52 shapes', 'aria-label': 'Search shapes', class: 'search' });
  private readonly nothing = el('p', { class: 'hint', hidden: true }, 'No shape of that name.');
  private linked = false;

  constructor(
    private readonly player: Player,
    private readonly onChange: () => void,
    photo: () => Float32Array | null,
  ) {
    for (const preset of PRESETS) this.presets.append(this.chip(preset.title, () => toArray(preset.weights)));
    this.presets.append(this.chip('As in the photo', photo));
    const link = el('input', { type: 'checkbox', id: 'link' });
    link.addEventListener('change', () => (this.linked = link.checked));
    const neutral = el('button', { type: 'button', class: 'text-button', id: 'reset-face' }, 'Reset');
    neutral.addEventListener('click', () => this.reset());
    const copy = el('button', { type: 'button', class: 'button' }, 'Copy this expression');
    copy.addEventListener('click', () => void copyText(asOptions(player.weights)));
    this.search.addEventListener('input', () => this.filter());
    this.element.append(
      this.presets,
      el('div', { class: 'row search-row' }, this.search, neutral),
      el('label', { class: 'check' }, link, 'Move left and right together'),
      this.nothing,
      ...REGIONS.map(({ id, title, prefixes }) => this.region(id, title, prefixes)),
      this.headTurns(),
      el('div', { class: 'row' }, copy),
      el('p', { class: 'hint' }, 'As options of "zero1toa render".'),
    );
  }

  /** Shows what the player has: sliders follow presets, and a bar behind each shows what a motion adds. */
  refresh(): void {
    if (this.element.offsetParent === null) return; // another panel is shown
    for (const row of this.rows) {
      const value = this.player.manual[row.shape]!;
      const live = this.player.weights[row.shape]!;
      if (Math.abs(value - row.value) > VISIBLE || (value === 0 && row.value !== 0)) {
        row.value = value;
        if (document.activeElement !== row.input || this.player.settling) row.input.value = String(value);
        row.row.style.setProperty('--value', value.toFixed(3));
      }
      if (Math.abs(live - row.live) > VISIBLE || (live === 0 && row.live !== 0)) {
        row.live = live;
        row.output.textContent = live.toFixed(2);
        row.row.style.setProperty('--live-value', live.toFixed(3));
        row.row.classList.toggle('active', live > VISIBLE);
      }
    }
    for (const [key, { input, output }] of this.turnInputs) {
      input.value = String(this.player.turn[key]);
      output.textContent = `${Math.round(this.player.turn[key])}°`;
    }
  }

  focusSearch(): void {
    this.search.focus();
    this.search.select();
  }

  reset(): void {
    this.player.setWeights(new Float32Array(COUNT));
    this.player.setTurn({ yaw: 0, pitch: 0, roll: 0 });
    this.onChange();
  }

  private chip(title: string, weights: () => Float32Array | null): HTMLElement {
    const button = el('button', { type: 'button', class: 'chip' }, title);
    button.addEventListener('click', () => {
      this.player.setWeights(weights() ?? new Float32Array(COUNT));
      this.onChange();
    });
    return button;
  }

  private region(id: string, title: string, prefixes: readonly string[]): HTMLElement {
    const details = el('details', { open: true, class: 'region', 'data-region': id }, el('summary', {}, title));
    for (const name of namesOf(prefixes)) details.append(this.slider(name));
    return details;
  }

  private slider(name: string): HTMLElement {
    const shape = at(name);
    const input = el('input', {
      type: 'range', min: 0, max: 1, step: 0.01, value: 0, id: `shape-${name}`, 'aria-label': label(name, true), title: name,
    });
    const output = el('output', { for: input.id }, '0.00');
    const row = el('div', { class: 'slider', 'data-name': name }, el('label', { for: input.id, title: name }, label(name)), input, output);
    const set = (value: number): void => {
      this.player.setWeight(shape, value);
      if (this.linked) this.player.setWeight(at(mirrored(name)), value);
      this.onChange();
    };
    input.addEventListener('input', () => set(Number(input.value)));
    row.addEventListener('dblclick', () => set(0));
    this.rows.push({ shape, row, input, output, value: 0, live: 0 });
    return row;
  }

  private headTurns(): HTMLElement {
    const details = el('details', { open: true, class: 'region', 'data-region': 'head' }, el('summary', {}, 'Head'));
    for (const { key, title, limit } of TURNS) {
      const input = el('input', { type: 'range', min: -limit, max: limit, step: 1, value: 0, id: `turn-${key}`, 'aria-label': `${title} of the head, degrees` });
      const output = el('output', { for: input.id }, '0°');
      input.addEventListener('input', () => {
        this.player.setTurn({ [key]: Number(input.value) });
        this.onChange();
      });
      const row = el('div', { class: 'slider two-sided' }, el('label', { for: input.id }, title), input, output);
      row.addEventListener('dblclick', () => {
        this.player.setTurn({ [key]: 0 });
        this.onChange();
      });
      this.turnInputs.set(key, { input, output });
      details.append(row);
    }
    return details;
  }

  private filter(): void {
    const wanted = this.search.value.trim().toLowerCase().replace(/\s+/g, '');
    let found = 0;
    for (const region of this.element.querySelectorAll<HTMLDetailsElement>('.region')) {
      let here = 0;
      for (const row of region.querySelectorAll<HTMLElement>('.slider')) {
        const name = (row.dataset.name ?? row.textContent ?? '').toLowerCase();
        row.hidden = wanted !== '' && !name.includes(wanted);
        if (!row.hidden) here++;
      }
      region.hidden = here === 0;
      if (wanted !== '' && here) region.open = true;
      found += here;
    }
    this.nothing.hidden = found > 0;
  }
}

/** Weights as `zero1toa render` takes them: -e jawOpen=0.5 ... */
export function asOptions(weights: Float32Array): string {
  const parts = NAMES.flatMap((name, i) => (weights[i]! > 0.004 ? [`${name}=${Number(weights[i]!.toFixed(2))}`] : []));
  return parts.length ? `-e ${parts.join(' ')}` : '';
}

async function copyText(text: string): Promise<void> {
  if (!text) return toast('The face is neutral: there is nothing to copy.');
  try {
    await navigator.clipboard.writeText(text);
    toast('Copied.');
  } catch {
    toast(text); // some browsers give no clipboard to a page from a file
  }
}
