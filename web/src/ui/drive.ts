// The panel of what drives the face: living eyes and lids, motions, and the webcam.
import type { Player } from '../player';
import type { Source } from '../source';
import { role, type TrackerFiles, Webcam } from '../webcam';
import { el, toast } from './dom';
import type { Timeline } from './timeline';

const ROLES: Record<keyof TrackerFiles, string> = {
  bundle: 'vision_bundle.mjs',
  loader: 'vision_wasm_internal.js',
  binary: 'vision_wasm_internal.wasm',
  model: 'face_landmarker.task',
};

export const TITLES: Record<string, string> = {
  idle: 'Idle', talk: 'Talk', smile: 'Smile', expressions: 'All 52 shapes', nod: 'Nod',
};

export class DrivePanel {
  readonly element = el('div', { class: 'drive' });
  readonly follow: HTMLInputElement;
  readonly blink: HTMLInputElement;
  readonly webcam: Webcam;
  private readonly motions = el('div', { class: 'chips', role: 'group', 'aria-label': 'Motions' });
  private readonly status = el('p', { class: 'hint', role: 'status' });
  private readonly start = el('button', { type: 'button', class: 'button', id: 'webcam-start' }, 'Start webcam');
  private readonly picker = el('input', { type: 'file', multiple: true, hidden: true, id: 'tracker-files', 'aria-label': 'Files of the face tracker', accept: '.mjs,.js,.wasm,.task' });
  private readonly calibrate = el('button', { type: 'button', class: 'button', hidden: true }, 'This is my neutral face');
  private readonly video = el('video', { class: 'webcam', muted: true, playsinline: true, hidden: true, 'aria-label': 'Your webcam' });
  private files: Partial<TrackerFiles> = {};

  constructor(
    private readonly player: Player,
    private readonly timeline: Timeline,
    private readonly onChange: () => void,
    openFiles: () => void,
  ) {
    this.webcam = new Webcam(this.video);
    this.video.muted = true;
    this.follow = this.check('follow', 'Eyes follow the pointer');
    this.blink = this.check('blink', 'Blink now and then');
    this.blink.addEventListener('change', () => {
      player.blinker.enabled = this.blink.checked;
      if (this.blink.checked) player.blinker.blink();
      onChange();
    });
    this.follow.addEventListener('change', () => {
      if (!this.follow.checked) player.gaze.look(0, 0);
      onChange();
    });
    const open = el('button', { type: 'button', class: 'button' }, 'Open a Live Link CSV');
    open.addEventListener('click', openFiles);
    const choose = el('button', { type: 'button', class: 'button' }, 'Choose the four files');
    choose.addEventListener('click', () => this.picker.click());
    const mirror = el('input', { type: 'checkbox', checked: true });
    mirror.checked = true;
    mirror.addEventListener('change', () => (this.webcam.mirror = mirror.checked));
    this.picker.addEventListener('change', () => this.take([...(this.picker.files ?? [])]));
    this.start.addEventListener('click', () => void this.toggle());
    this.calibrate.addEventListener('click', () => this.webcam.calibrate());
    this.element.append(
      el('h2', {}, 'Alive'),
      el('label', { class: 'check' }, this.follow, 'Eyes follow the pointer'),
      el('label', { class: 'check' }, this.blink, 'Blink now and then'),
      el('h2', {}, 'Motions'),
      this.motions,
      el('div', { class: 'row' }, open),
      el('p', { class: 'hint' }, 'Or drop a recording of Live Link Face (.csv) on the page.'),
      el('h2', {}, 'Webcam'),
      this.status,
      this.video,
      el('div', { class: 'row' }, this.start, choose, this.calibrate),
      el('label', { class: 'check' }, mirror, 'Mirror: my left is the left of the screen'),
      this.picker,
    );
    this.explain();
  }

  showMotions(): void {
    this.motions.replaceChildren(
      ...this.timeline.names.map((name) => {
        const button = el('button', { type: 'button', class: 'chip', 'data-motion': name }, TITLES[name] ?? name);
        button.addEventListener('click', () => this.timeline.choose(this.player.motion?.name === name ? '' : name));
        return button;
      }),
    );
  }

  refresh(): void {
    for (const chip of this.motions.querySelectorAll<HTMLElement>('.chip'))
      chip.setAttribute('aria-pressed', String(chip.dataset.motion === this.player.motion?.name));
    if (this.webcam.running) {
      const text = this.webcam.face ? 'Your face drives the avatar.' : 'No face in the picture.';
      if (this.status.textContent !== text) this.status.textContent = text;
    }
  }

  useServer(source: Source): void {
    if (source.tracker) this.files = source.tracker;
    this.explain();
  }

  /** Takes files of the tracker that were chosen or dropped; true when any was one. */
  take(files: File[]): boolean {
    let any = false;
    for (const file of files) {
      const which = role(file.name);
      if (!which) continue;
      const types = { bundle: 'text/javascript', loader: 'text/javascript', binary: 'application/wasm', model: 'application/octet-stream' };
      this.files[which] = URL.createObjectURL(new Blob([file], { type: types[which] }));
      any = true;
    }
    this.explain();
    return any;
  }

  private get complete(): TrackerFiles | null {
    const missing = this.missing();
    return missing.length ? null : (this.files as TrackerFiles);
  }

  private missing(): string[] {
    return (Object.keys(ROLES) as (keyof TrackerFiles)[]).filter((key) => !this.files[key]).map((key) => ROLES[key]);
  }

  private explain(): void {
    const missing = this.missing();
    this.start.disabled = missing.length > 0;
    if (missing.length === 4)
      this.status.textContent =
        'Not set up. Driving by webcam needs the face tracker MediaPipe, which is not part of zero1toa: three files of ' +
        'the npm package @mediapipe/tasks-vision (vision_bundle.mjs, wasm/vision_wasm_internal.js and .wasm) and the model ' +
        'face_landmarker.task. Choose them here, or start "zero1toa view" with --tracker FOLDER. The picture never leaves this computer.';
    else if (missing.length) this.status.textContent = `Still missing: ${missing.join(', ')}.`;
    else this.status.textContent = 'Ready. The picture never leaves this computer.';
  }

  private async toggle(): Promise<void> {
    if (this.webcam.running) {
      this.webcam.stop();
      this.player.driver = null;
      this.finish(false);
      return;
    }
    const files = this.complete;
    if (!files) return;
    this.start.disabled = true;
    this.status.textContent = 'Loading the tracker …';
    try {
      await this.webcam.start(files);
      this.timeline.choose('');
      this.player.driver = this.webcam.driver;
      this.finish(true);
    } catch (error) {
      toast((error as Error).message, 'error');
      this.finish(false);
    }
  }

  private finish(running: boolean): void {
    this.start.disabled = false;
    this.start.textContent = running ? 'Stop webcam' : 'Start webcam';
    this.video.hidden = this.calibrate.hidden = !running;
    if (!running) this.explain();
    this.player.touch();
    this.onChange();
  }

  private check(id: string, label: string): HTMLInputElement {
    return el('input', { type: 'checkbox', id, 'aria-label': label });
  }
}
