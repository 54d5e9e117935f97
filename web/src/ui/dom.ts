// Small helpers for making elements.

type Properties = Record<string, string | number | boolean | null | undefined | ((event: any) => void)>;

/** An element with attributes (functions become listeners of that event) and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K, properties: Properties = {}, ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') node.addEventListener(name, value as EventListener);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

/** An element that the page is known to have. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page lacks #${id}`);
  return node as T;
}

// Icons of 24 x 24, lines of the text's colour. Drawn for this project.
const ICONS = {
  open: 'M3 7a2 2 0 0 1 2-2h4l2 2h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z',
  camera: 'M4 8h3l2-3h6l2 3h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1zM12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z',
  record: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  stats: 'M4 20V10M10 20V4M16 20v-7M21 20H3',
  theme: 'M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9z',
  help: 'M9 9a3 3 0 1 1 4.2 2.7c-.8.4-1.2 1-1.2 1.8v.5M12 17.5v.1M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
  play: 'M7 5l12 7-12 7z',
  pause: 'M8 5v14M16 5v14',
  loop: 'M17 3l3 3-3 3M20 6H8a4 4 0 0 0-4 4v1M7 21l-3-3 3-3M4 18h12a4 4 0 0 0 4-4v-1',
  reset: 'M4 5v5h5M4.6 10A8 8 0 1 1 4 14',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  close: 'M6 6l12 12M18 6L6 18',
  panel: 'M4 5h16v14H4zM14 5v14',
} as const;

export function icon(name: keyof typeof ICONS): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'icon');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

export function setIcon(button: HTMLElement, name: keyof typeof ICONS): void {
  button.replaceChildren(icon(name));
}

/** Saves a file of the user's under a name. */
export function download(blob: Blob, name: string): void {
  const link = el('a', { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const TOAST_SECONDS = 7;

/** A message that goes by itself; an error stays until it is closed. */
export function toast(text: string, kind: 'note' | 'error' = 'note'): void {
  const holder = byId('toasts');
  const close = el('button', { type: 'button', class: 'icon-button small', 'aria-label': 'Close message' }, icon('close'));
  const node = el('div', { class: `toast ${kind}`, role: kind === 'error' ? 'alert' : 'status' }, el('span', {}, text), close);
  close.addEventListener('click', () => node.remove());
  if (kind === 'error') for (const old of holder.querySelectorAll('.toast.error')) old.remove();
  holder.append(node);
  if (kind === 'note') setTimeout(() => node.remove(), TOAST_SECONDS * 1000);
}
