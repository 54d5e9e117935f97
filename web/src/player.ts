// What the avatar does now: sliders, a motion, a webcam, blinks and gaze, mixed into one set of weights and one pose.
import { COUNT } from './core/arkit';
import { Blinker, Gaze, Transition } from './core/life';
import { turnFromAngles } from './core/livelink';
import { type Motion, NECK_SHARE, POSE, sample, seconds } from './core/motion';

const PRESET_SECONDS = 0.28;
const DEGREE = Math.PI / 180;

/** Degrees that the head is turned by hand: yaw to the subject's left, pitch down, roll to the subject's right. */
export interface HeadTurn {
  yaw: number;
  pitch: number;
  roll: number;
}

/** Weights and pose of a person in front of a camera. */
export interface Driver {
  weights: Float32Array;
  pose: Float32Array;
}

export class Player {
  /** (52,) what the sliders say. */
  readonly manual = new Float32Array(COUNT);
  /** (52,) and (6, 3): what is shown. */
  readonly weights = new Float32Array(COUNT);
  readonly pose = new Float32Array(POSE);
  readonly turn: HeadTurn = { yaw: 0, pitch: 0, roll: 0 };
  readonly blinker = new Blinker();
  readonly gaze = new Gaze();
  motion: Motion | null = null;
  time = 0;
  playing = false;
  loop = true;
  speed = 1;
  driver: Driver | null = null;
  private readonly transition = new Transition(PRESET_SECONDS);
  private readonly motionWeights = new Float32Array(COUNT);
  private dirty = true;

  /** Something was changed from outside: the next update shows it. */
  touch(): void {
    this.dirty = true;
  }

  setWeight(shape: number, value: number): void {
    this.transition.stop();
    this.manual[shape] = Math.min(Math.max(value, 0), 1);
    this.dirty = true;
  }

  /** All sliders at once, softly unless said otherwise. */
  setWeights(target: Float32Array, soft = true): void {
    if (soft) this.transition.start(this.manual, target);
    else {
      this.transition.stop();
      this.manual.set(target);
    }
    this.dirty = true;
  }

  setTurn(turn: Partial<HeadTurn>): void {
    Object.assign(this.turn, turn);
    this.dirty = true;
  }

  /** Starts a motion from its beginning; null stops and removes it. */
  load(motion: Motion | null, play = true): void {
    this.motion = motion;
    this.time = 0;
    this.playing = motion !== null && play;
    this.dirty = true;
  }

  seek(time: number): void {
    this.time = this.motion ? Math.min(Math.max(time, 0), seconds(this.motion)) : 0;
    this.dirty = true;
  }

  /** Whether sliders move by themselves, towards a preset. */
  get settling(): boolean {
    return this.transition.running;
  }

  /** Lets time pass. `changed`: a new frame is due; `moving`: another one will follow at once. */
  advance(passed: number): { changed: boolean; moving: boolean } {
    const running = this.transition.running;
    if (running) this.transition.advance(passed, this.manual);
    if (this.playing && this.motion) this.play(passed, this.motion);
    const lids = this.blinker.advance(passed);
    const eyes = this.gaze.advance(passed);
    const moving = running || this.playing || lids || eyes || this.driver !== null;
    const changed = moving || this.dirty;
    if (changed) this.mix();
    this.dirty = false;
    return { changed, moving };
  }

  private play(passed: number, motion: Motion): void {
    const length = seconds(motion);
    this.time += passed * this.speed;
    if (this.time < length) return;
    if (this.loop) this.time %= length;
    else {
      this.time = length;
      this.playing = false;
    }
  }

  private mix(): void {
    const { weights, pose, manual } = this;
    if (this.driver) {
      this.motionWeights.set(this.driver.weights);
      pose.set(this.driver.pose);
    } else if (this.motion) {
      sample(this.motion, this.time, this.motionWeights, pose);
    } else {
      this.motionWeights.fill(0);
      pose.fill(0);
    }
    for (let i = 0; i < COUNT; i++) weights[i] = Math.min(manual[i]! + this.motionWeights[i]!, 1);
    this.gaze.apply(weights);
    this.blinker.apply(weights);
    const { yaw, pitch, roll } = this.turn;
    if (yaw || pitch || roll) {
      const turn = turnFromAngles(yaw * DEGREE, pitch * DEGREE, roll * DEGREE);
      for (let c = 0; c < 3; c++) {
        pose[3 + c] = pose[3 + c]! + turn[c]! * NECK_SHARE;
        pose[6 + c] = pose[6 + c]! + turn[c]! * (1 - NECK_SHARE);
      }
    }
  }
}
