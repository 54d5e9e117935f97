// What a living face does by itself: blinks at random, and eyes that look where they are told.
import { at, COUNT } from './arkit';

/** Degrees that the eyeball turns at weight 1 (zero1toa.heads.skinning.GAZE_DEGREES). */
const DEGREES = { In: 30, Out: 30, Up: 20, Down: 25 } as const;

const BLINK_EVERY = [2.2, 5.5] as const; // seconds between blinks, at rest
const CLOSING = 0.09; // seconds
const CLOSED = 0.04;
const OPENING = 0.16;
const FOLLOW = 0.08; // seconds after which the eyes have gone two thirds of the way
const STILL = 1e-3; // a weight that has come so close has arrived

const BLINKS = [at('eyeBlinkLeft'), at('eyeBlinkRight')] as const;

/** Blinks now and then; feed it the seconds that pass. */
export class Blinker {
  enabled = false;
  private clock = 0;
  private next: number = BLINK_EVERY[0];
  private start = -Infinity;

  constructor(private readonly random: () => number = Math.random) {}

  /** One blink, now. */
  blink(): void {
    this.start = this.clock;
  }

  /** Lets time pass; true while lids move, so that a new frame is needed. */
  advance(seconds: number): boolean {
    this.clock += seconds;
    if (this.enabled && this.clock >= this.next) {
      this.start = this.clock;
      this.next = this.clock + BLINK_EVERY[0] + this.random() * (BLINK_EVERY[1] - BLINK_EVERY[0]);
    }
    return this.clock - this.start < CLOSING + CLOSED + OPENING + 0.1;
  }

  /** Lets time pass in which nothing was drawn. */
  skip(seconds: number): void {
    this.clock += seconds;
  }

  /** Seconds until something happens by itself; Infinity when switched off. */
  get wait(): number {
    return this.enabled ? Math.max(this.next - this.clock, 0) : Infinity;
  }

  apply(weights: Float32Array): void {
    const t = this.clock - this.start;
    const closed = t < CLOSING ? t / CLOSING : 1 - (t - CLOSING - CLOSED) / OPENING;
    const level = smooth(Math.min(Math.max(closed, 0), 1));
    if (level > 0) for (const blink of BLINKS) weights[blink] = Math.max(weights[blink]!, level);
  }
}

/** Eyes that look to a place given in degrees: yaw to the subject's left, pitch up. */
export class Gaze {
  private yaw = 0;
  private pitch = 0;
  private targetYaw = 0;
  private targetPitch = 0;

  look(yaw: number, pitch: number): void {
    this.targetYaw = Math.min(Math.max(yaw, -DEGREES.Out), DEGREES.Out);
    this.targetPitch = Math.min(Math.max(pitch, -DEGREES.Down), DEGREES.Up);
  }

  /** Lets time pass; true while the eyes move. */
  advance(seconds: number): boolean {
    const share = 1 - Math.exp(-seconds / FOLLOW);
    const [dx, dy] = [this.targetYaw - this.yaw, this.targetPitch - this.pitch];
    if (Math.abs(dx) < STILL && Math.abs(dy) < STILL) return false;
    this.yaw += dx * share;
    this.pitch += dy * share;
    return true;
  }

  /** Adds the gaze to the weights, within [0, 1]. */
  apply(weights: Float32Array): void {
    if (this.yaw === 0 && this.pitch === 0) return;
    const vertical = this.pitch > 0 ? (['Up', this.pitch / DEGREES.Up] as const) : (['Down', -this.pitch / DEGREES.Down] as const);
    for (const side of ['Left', 'Right'] as const) {
      const outwards = side === 'Left' ? this.yaw : -this.yaw;
      const horizontal = outwards > 0 ? (['Out', outwards / DEGREES.Out] as const) : (['In', -outwards / DEGREES.In] as const);
      for (const [direction, weight] of [horizontal, vertical]) {
        const shape = at(`eyeLook${direction}${side}`);
        weights[shape] = Math.min(weights[shape]! + weight, 1);
      }
    }
  }
}

/** Weights on their way from one expression to another. */
export class Transition {
  private from = new Float32Array(COUNT);
  private to = new Float32Array(COUNT);
  private passed = Infinity;

  constructor(private readonly seconds: number) {}

  start(from: Float32Array, to: Float32Array): void {
    this.from = Float32Array.from(from);
    this.to = Float32Array.from(to);
    this.passed = 0;
  }

  get running(): boolean {
    return this.passed < this.seconds;
  }

  /** Lets time pass and writes the weights of now. */
  advance(seconds: number, weights: Float32Array): void {
    this.passed = Math.min(this.passed + seconds, this.seconds);
    const share = smooth(this.passed / this.seconds);
    for (let i = 0; i < COUNT; i++) weights[i] = this.from[i]! + (this.to[i]! - this.from[i]!) * share;
  }

  stop(): void {
    this.passed = Infinity;
  }
}

/** 0 to 1 with a soft start and end. */
export function smooth(x: number): number {
  return x * x * (3 - 2 * x);
}
