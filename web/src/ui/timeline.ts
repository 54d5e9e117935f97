// The bar below the avatar: which motion, play, where in it, how fast.
import { type Motion, seconds } from '../core/motion';
import type { Player } from '../player';
import { byId, setIcon } from './dom';

const NONE = '';

export class Timeline {
  private readonly select = byId<HTMLSelectElement>('motion');
  private readonly play = byId<HTMLButtonElement>('play');
  private readonly scrub = byId<HTMLInputElement>('scrub');
  private readonly clock = byId('clock');
  private readonly loop = byId<HTMLButtonElement>('loop');
  private readonly speed = byId<HTMLSelectElement>('speed');
  private readonly motions = new Map<string, Motion>();
  private resume = false;

  constructor(
    private readonly player: Player,
    private readonly onChange: () => void,
  ) {
    setIcon(this.loop, 'loop');
    this.select.addEventListener('change', () => this.choose(this.select.value));
    this.play.addEventListener('click', () => this.toggle());
    this.loop.addEventListener('click', () => {
      player.loop = !player.loop;
      this.refresh();
    });
    this.speed.addEventListener('change', () => (player.speed = Number(this.speed.value)));
    this.scrub.addEventListener('input', () => {
      player.seek((Number(this.scrub.value) / 1000) * (player.motion ? seconds(player.motion) : 0));
      this.onChange();
    });
    this.scrub.addEventListener('pointerdown', () => {
      this.resume = player.playing;
      player.playing = false;
    });
    for (const end of ['pointerup', 'pointercancel'])
      this.scrub.addEventListener(end, () => {
        if (this.resume) player.playing = true;
        this.resume = false;
        this.onChange();
      });
    this.refresh();
  }

  /** Offers a motion by its name; a later one of the same name takes its place. */
  add(motion: Motion, title = motion.name): void {
    if (!this.motions.has(motion.name)) this.select.add(new Option(title, motion.name));
    this.motions.set(motion.name, motion);
  }

  get names(): string[] {
    return [...this.motions.keys()];
  }

  /** Plays a motion from its beginning; an empty name stops. False when there is none of that name. */
  choose(name: string, play = true): boolean {
    const motion = this.motions.get(name) ?? null;
    if (!motion && name !== NONE) return false;
    this.select.value = name;
    this.player.load(motion, play);
    this.refresh();
    this.onChange();
    return true;
  }

  toggle(): void {
    const { player } = this;
    if (!player.motion) {
      const first = this.names[0];
      if (first) this.choose(first);
      return;
    }
    player.playing = !player.playing;
    if (player.playing && player.time >= seconds(player.motion)) player.seek(0);
    this.refresh();
    this.onChange();
  }

  refresh(): void {
    const { player } = this;
    const length = player.motion ? seconds(player.motion) : 0;
    const state = player.playing ? 'pause' : 'play';
    if (this.play.dataset.state !== state) {
      this.play.dataset.state = state;
      setIcon(this.play, state);
      this.play.setAttribute('aria-label', player.playing ? 'Pause' : 'Play');
    }
    this.scrub.disabled = length === 0;
    const share = length ? player.time / length : 0;
    this.scrub.value = String(Math.round(share * 1000));
    this.scrub.style.setProperty('--value', share.toFixed(4));
    this.scrub.setAttribute('aria-valuetext', `${player.time.toFixed(1)} of ${length.toFixed(1)} seconds`);
    const text = length ? `${player.time.toFixed(1)} / ${length.toFixed(1)} s` : '';
    if (this.clock.textContent !== text) this.clock.textContent = text;
    this.loop.setAttribute('aria-pressed', String(player.loop));
  }
}
