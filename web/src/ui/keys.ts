// Keys of the whole page; those that a control under the focus needs are left to it.

const KEPT_BY_RANGE = new Set(['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', '+', '-', '=']);

export function onKeys(actions: Record<string, () => void>): void {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const target = event.target as HTMLElement;
    if (event.key === 'Escape') target.blur();
    if (isText(target) || !Object.hasOwn(actions, key)) return;
    if (target instanceof HTMLInputElement && target.type === 'range' && KEPT_BY_RANGE.has(key)) return;
    if (key.startsWith('Arrow') && !(target.tagName === 'CANVAS' || target === document.body)) return;
    if (key === ' ' && target.matches('button, summary, input, select')) return;
    if (target.tagName === 'SELECT') return;
    event.preventDefault();
    actions[key]!();
  });
}

function isText(target: HTMLElement): boolean {
  return target instanceof HTMLInputElement && ['text', 'search', 'number'].includes(target.type);
}
