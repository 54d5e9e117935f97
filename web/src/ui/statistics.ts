// Figures for those who want to know: frames a second, time per pose, sizes.
import type { Stage } from '../stage/stage';
import { byId } from './dom';

const REMEMBERED = 600; // frames
const WINDOW = 30; // frames that the rate is the mean of

export class Statistics {
  private readonly element = byId('statistics');
  private readonly steps: number[] = [];
  /** Milliseconds of the main thread for each of the last frames, panels included. */
  readonly work: number[] = [];

  toggle(): void {
    this.element.hidden = !this.element.hidden;
    byId('stats').setAttribute('aria-pressed', String(!this.element.hidden));
  }

  frame(seconds: number): void {
    this.steps.push(seconds);
    if (this.steps.length > WINDOW) this.steps.shift();
  }

  worked(milliseconds: number): void {
    this.work.push(milliseconds);
    if (this.work.length > REMEMBERED) this.work.shift();
  }

  rest(): void {
    this.steps.length = 0;
  }

  show(stage: Stage, loadSeconds: number): void {
    if (this.element.hidden || !stage.avatar) return;
    const mean = this.steps.reduce((sum, step) => sum + step, 0) / this.steps.length;
    const rate = this.steps.length > 1 ? `${Math.round(1 / mean)} frames/s` : 'still';
    const { splats, head } = stage.avatar;
    this.element.textContent = [
      rate,
      `${stage.poseMilliseconds.toFixed(1)} ms per pose`,
      `${splats.count.toLocaleString('en')} splats`,
      `${(head.faces.length / 3).toLocaleString('en')} triangles`,
      `${stage.canvas.width} × ${stage.canvas.height} px`,
      `opened in ${loadSeconds.toFixed(2)} s`,
    ].join('\n');
  }
}
