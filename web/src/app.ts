// The page: brings avatar, player, panels and keys together, and runs the frames.
import { toArray, type Weights } from './core/arkit';
import { readAvatar } from './core/avatar';
import { BadFile } from './core/glb';
import { readLiveLink } from './core/livelink';
import { Player } from './player';
import { Recorder } from './record';
import { findSource } from './source';
import { type Look, Stage } from './stage/stage';
import { AboutPanel } from './ui/about';
import { byId, download, toast } from './ui/dom';
import { DrivePanel, TITLES } from './ui/drive';
import { FacePanel } from './ui/face';
import { onFiles } from './ui/files';
import { onKeys } from './ui/keys';
import { ScenePanel } from './ui/scene';
import { Frame } from './ui/frame';
import { Statistics } from './ui/statistics';
import { Timeline } from './ui/timeline';

const LONGEST_STEP = 0.1; // seconds: after a pause, time goes on and does not jump
const REFRESH = 60; // milliseconds
const BLACK_AFTER = 12; // seconds without a drawn splat until a message says so

export class App {
  readonly stage: Stage;
  readonly player = new Player();
  readonly timeline: Timeline;
  private readonly face: FacePanel;
  private readonly drive: DrivePanel;
  private readonly scene: ScenePanel;
  private readonly about = new AboutPanel();
  private readonly frame: Frame;
  readonly statistics = new Statistics();
  private readonly recorder: Recorder;
  private readonly files: { open: () => void };
  private name = 'avatar';
  private scheduled = false;
  private last = 0;
  private wake = 0;
  private refreshed = 0;
  loadSeconds = 0;

  constructor(canvas: HTMLCanvasElement) {
    const change = (): void => this.request();
    this.stage = new Stage(canvas, change);
    this.recorder = new Recorder(canvas);
    this.timeline = new Timeline(this.player, change);
    this.files = onFiles((files) => void this.take(files));
    this.face = new FacePanel(this.player, change, () => this.photoWeights());
    this.drive = new DrivePanel(this.player, this.timeline, change, this.files.open);
    this.scene = new ScenePanel(this.stage, (size) => void this.screenshot(size), () => void this.record());
    this.frame = new Frame({ face: this.face.element, drive: this.drive.element, scene: this.scene.element, about: this.about.element });
    this.scene.apply();
    this.frame.onTheme = () => this.scene.apply();
    this.frame.onTab = () => {
      this.player.touch(); // a panel that was hidden has not been kept up to date
      change();
    };
    this.bind(canvas);
  }

  /** Loads what the page was made for. */
  async start(): Promise<void> {
    const source = await findSource();
    for (const motion of source.motions) this.timeline.add(motion, TITLES[motion.name]);
    this.drive.showMotions();
    this.drive.useServer(source);
    if (!source.avatar) return this.frame.state('empty');
    try {
      await this.show(await source.avatar(), source.name);
    } catch (error) {
      this.frame.state('empty');
      toast(message(error), 'error');
    }
  }

  /** Shows an avatar file. Throws BadFile and leaves what was there. */
  async show(buffer: ArrayBuffer, name: string): Promise<void> {
    const start = performance.now();
    const avatar = readAvatar(buffer);
    await this.stage.show(avatar);
    this.name = name.replace(/\.glb$/i, '') || 'avatar';
    byId('title').textContent = this.name;
    document.title = `${this.name} – zero1toa`;
    this.about.show(avatar, name);
    this.player.touch();
    this.frame.state('ready');
    this.loadSeconds = (performance.now() - start) / 1000;
    this.request();
    setTimeout(() => {
      if (this.stage.avatar === avatar && this.stage.look === 'splats' && this.stage.activeSplats === 0 && !document.hidden)
        toast('The splats do not appear: this browser may lack WebGL 2 with float textures, or block WebAssembly. The mesh can still be shown.', 'error');
    }, BLACK_AFTER * 1000);
  }

  /** Files that were dropped or chosen: an avatar, a motion, or parts of the face tracker. */
  async take(files: File[]): Promise<void> {
    for (const file of files) {
      try {
        if (/\.glb$/i.test(file.name)) await this.show(await file.arrayBuffer(), file.name);
        else if (/\.csv$/i.test(file.name)) {
          const motion = readLiveLink(await file.text(), file.name);
          this.timeline.add(motion);
          this.drive.showMotions();
          this.timeline.choose(motion.name);
          toast(`${file.name}: ${motion.frames} frames, ${motion.fps} per second.`);
        } else if (!this.drive.take([file]))
          throw new BadFile(`${file.name} is nothing that the viewer opens. It opens avatars (.glb) and Live Link Face recordings (.csv).`);
      } catch (error) {
        const text = message(error);
        toast(text.includes(file.name) ? text : `${file.name}: ${text}`, 'error');
      }
    }
  }

  /** ARKit weights by name; those not named become 0. */
  setExpression(weights: Weights, soft = false): void {
    this.player.setWeights(toArray(weights), soft);
    this.request();
  }

  async screenshot(size?: number): Promise<void> {
    try {
      download(await this.stage.capture(size ? { width: size, height: size } : undefined), `${this.name}.png`);
    } catch (error) {
      toast(`No picture could be made: ${message(error)}`, 'error');
    }
  }

  async record(): Promise<void> {
    const button = byId('record');
    try {
      if (this.recorder.running) {
        const film = await this.recorder.stop();
        this.stage.lock(false);
        download(film, `${this.name}.webm`);
      } else {
        this.stage.lock(true);
        this.recorder.start();
        toast('Recording. Press the button again to end and save it.');
      }
    } catch (error) {
      this.stage.lock(false);
      toast(message(error), 'error');
    }
    button.setAttribute('aria-pressed', String(this.recorder.running));
    this.request();
  }

  setLook(look: Look): void {
    this.stage.setLook(look);
    for (const button of document.querySelectorAll<HTMLElement>('[data-look]'))
      button.setAttribute('aria-pressed', String(button.dataset.look === look));
  }

  /** Asks for a frame; many calls make one. */
  request(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame((now) => this.tick(now));
  }

  private tick(now: number): void {
    this.scheduled = false;
    if (!this.stage.avatar) return; // nothing to draw yet
    if (!this.stage.ready()) return this.request();
    const start = performance.now();
    const since = (now - this.last) / 1000;
    const passed = Math.min(since, LONGEST_STEP);
    this.last = now;
    if (this.player.driver) this.drive.webcam.update();
    const { changed, moving } = this.player.advance(passed);
    const turning = this.stage.view.advance(passed);
    if (changed) this.stage.pose(this.player.weights, this.player.pose);
    this.stage.draw();
    if (changed) this.refresh(now);
    if (moving || turning) {
      this.stage.moving(since);
      this.statistics.frame(since);
      this.request();
    } else if (this.stage.still()) this.request();
    else this.statistics.rest();
    this.statistics.show(this.stage, this.loadSeconds);
    this.awaken();
    if (changed) this.statistics.worked(performance.now() - start);
  }

  /** A blink comes by itself, some seconds from now. */
  private awaken(): void {
    clearTimeout(this.wake);
    const wait = this.player.blinker.wait;
    if (this.scheduled || !Number.isFinite(wait)) return;
    // Time passes for the blinker only in frames, in steps of LONGEST_STEP at most.
    this.wake = window.setTimeout(() => {
      this.player.blinker.skip(wait);
      this.last = performance.now();
      this.request();
    }, wait * 1000);
  }

  /** Brings the controls up to date; some times a second while something plays. */
  private refresh(now: number): void {
    if (now - this.refreshed < REFRESH && (this.player.playing || this.player.driver)) return;
    this.refreshed = now;
    this.face.refresh();
    this.drive.refresh();
    this.timeline.refresh();
  }

  private photoWeights(): Float32Array | null {
    const stored = this.stage.avatar?.photo.expression;
    return stored?.length ? Float32Array.from(stored, (value) => Math.min(Math.max(value, 0), 1)) : null;
  }

  private bind(canvas: HTMLCanvasElement): void {
    const { stage, player } = this;
    new ResizeObserver(([entry]) => stage.resize(entry!.contentRect.width, entry!.contentRect.height)).observe(byId('viewport'));
    canvas.addEventListener('webglcontextlost', (event) => {
      event.preventDefault();
      toast('The graphics card was reset; the picture comes back by itself.');
    });
    canvas.addEventListener('webglcontextrestored', () => void stage.restore());
    byId('viewport').addEventListener('pointermove', (event) => {
      if (!this.drive.follow.checked) return;
      const box = canvas.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * 2 - 1;
      const { yaw, pitch } = stage.view.direction(x, 1 - ((event.clientY - box.top) / box.height) * 2);
      player.gaze.look(yaw, pitch);
      this.request();
    });
    const press = (id: string, action: () => void): void => byId(id).addEventListener('click', action);
    press('open', this.files.open);
    press('open-first', this.files.open);
    press('screenshot', () => void this.screenshot());
    press('record', () => void this.record());
    press('stats', () => this.toggleStatistics());
    press('zoom-in', () => this.nudge(0, 0, 1.2));
    press('zoom-out', () => this.nudge(0, 0, 1 / 1.2));
    for (const button of document.querySelectorAll<HTMLElement>('[data-view]'))
      button.addEventListener('click', () => this.turnTo(Number(button.dataset.view)));
    for (const button of document.querySelectorAll<HTMLElement>('[data-look]'))
      button.addEventListener('click', () => this.setLook(button.dataset.look as Look));
    onKeys({
      ' ': () => this.timeline.toggle(),
      r: () => this.turnTo(0),
      '1': () => this.turnTo(0),
      '2': () => this.turnTo(-90),
      '3': () => this.turnTo(90),
      '4': () => this.turnTo(180),
      '0': () => this.face.reset(),
      m: () => this.setLook(({ splats: 'mesh', mesh: 'wire', wire: 'splats' } as const)[stage.look]),
      s: () => void this.screenshot(),
      v: () => void this.record(),
      b: () => this.drive.blink.click(),
      f: () => this.drive.follow.click(),
      i: () => this.toggleStatistics(),
      t: () => this.frame.toggleTheme(),
      o: () => this.files.open(),
      '/': () => {
        this.frame.select('face');
        this.face.focusSearch();
      },
      '?': () => this.frame.help(),
      '+': () => this.nudge(0, 0, 1.1),
      '=': () => this.nudge(0, 0, 1.1),
      '-': () => this.nudge(0, 0, 1 / 1.1),
      ArrowLeft: () => this.nudge(-6, 0),
      ArrowRight: () => this.nudge(6, 0),
      ArrowUp: () => this.nudge(0, 5),
      ArrowDown: () => this.nudge(0, -5),
    });
  }

  private toggleStatistics(): void {
    this.statistics.toggle();
    this.request();
  }

  private turnTo(yaw: number): void {
    this.stage.view.go(yaw, 0, 1, !matchMedia('(prefers-reduced-motion: reduce)').matches);
    this.request();
  }

  private nudge(yaw: number, pitch: number, closer = 1): void {
    this.stage.view.nudge(yaw, pitch, closer);
    this.request();
  }
}

function message(error: unknown): string {
  if (error instanceof BadFile) return error.message;
  return error instanceof Error ? error.message : String(error);
}
