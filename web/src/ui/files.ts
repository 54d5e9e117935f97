// Files from the user: chosen in a dialog or dropped on the page.
import { byId } from './dom';

export function onFiles(take: (files: File[]) => void): { open: () => void } {
  const input = byId<HTMLInputElement>('file');
  const veil = byId('drop');
  let depth = 0;
  const show = (): void => {
    veil.hidden = depth === 0;
  };
  input.addEventListener('change', () => {
    take([...(input.files ?? [])]);
    input.value = '';
  });
  addEventListener('dragenter', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    depth++;
    show();
  });
  addEventListener('dragleave', () => {
    depth = Math.max(depth - 1, 0);
    show();
  });
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault();
    depth = 0;
    show();
    take([...(event.dataTransfer?.files ?? [])]);
  });
  return { open: () => input.click() };
}
