// The page around the avatar: tabs, theme, help, and whether there is an avatar at all.
import { byId, setIcon } from './dom';

type Tab = 'face' | 'drive' | 'scene' | 'about';
type Theme = 'light' | 'dark';

const THEME_KEY = 'zero1toa-theme';

export class Frame {
  onTheme: () => void = () => {};
  onTab: () => void = () => {};
  private readonly tabs: HTMLButtonElement[];

  constructor(panels: Record<Tab, HTMLElement>) {
    for (const [name, element] of Object.entries(panels)) byId(`panel-${name}`).append(element);
    this.tabs = [...document.querySelectorAll<HTMLButtonElement>('[role=tab]')];
    for (const tab of this.tabs) {
      tab.addEventListener('click', () => this.select(tab.dataset.tab as Tab));
      tab.addEventListener('keydown', (event) => this.onTabKey(event, tab));
    }
    this.select('face');
    for (const [id, name] of Object.entries({ open: 'open', screenshot: 'camera', record: 'record', stats: 'stats', theme: 'theme', help: 'help', 'zoom-in': 'plus', 'zoom-out': 'minus', reset: 'reset', 'help-close': 'close' } as const))
      setIcon(byId(id), name);
    this.setTheme(savedTheme() ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', ({ matches }) => {
      if (!savedTheme()) this.setTheme(matches ? 'dark' : 'light');
    });
    byId('theme').addEventListener('click', () => this.toggleTheme());
    byId('help').addEventListener('click', () => this.help());
    byId('help-close').addEventListener('click', () => byId<HTMLDialogElement>('help-dialog').close());
  }

  select(name: Tab): void {
    for (const tab of this.tabs) {
      const chosen = tab.dataset.tab === name;
      tab.setAttribute('aria-selected', String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      byId(`panel-${tab.dataset.tab}`).hidden = !chosen;
    }
    byId('panels').scrollTop = 0;
    this.onTab();
  }

  toggleTheme(): void {
    const next = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    try {
      localStorage.setItem(THEME_KEY, next);
    } catch {
      // a page from a file may not keep anything
    }
    this.setTheme(next);
  }

  help(): void {
    byId<HTMLDialogElement>('help-dialog').showModal();
  }

  state(state: 'loading' | 'empty' | 'ready'): void {
    document.body.dataset.state = state;
  }

  private setTheme(theme: Theme): void {
    document.documentElement.dataset.theme = theme;
    this.onTheme();
  }

  private onTabKey(event: KeyboardEvent, tab: HTMLButtonElement): void {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (!step) return;
    const next = this.tabs[(this.tabs.indexOf(tab) + step + this.tabs.length) % this.tabs.length]!;
    this.select(next.dataset.tab as Tab);
    next.focus();
    event.preventDefault();
  }
}

function savedTheme(): Theme | null {
  try {
    const saved = localStorage.getItem(THEME_KEY);
    return saved === 'dark' || saved === 'light' ? saved : null;
  } catch {
    return null;
  }
}
