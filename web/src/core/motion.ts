// Motions: 52 ARKit weights and the turns of neck and head over time, sampled at any moment.
import { COUNT } from './arkit';
import { BadFile } from './glb';

/** Floats of a pose: rotation vectors of six joints. */
export const POSE = 18;

const NECK = 3; // first float of each joint in a pose
const HEAD = 6;
const EYES = 12;

export interface Motion {
  name: string;
  fps: number;
  frames: number;
  weights: Float32Array; // (F, 52) in [0, 1]
  neck: Float32Array; // (F, 3) radians
  head: Float32Array; // (F, 3)
  eyes: Float32Array | null; // (F, 6) left, right
}

/** Share of a head's turn that the neck makes, as zero1toa.motion.head_motion has it. */
export const NECK_SHARE = 0.4;

export function seconds(motion: Motion): number {
  return motion.frames / motion.fps;
}

/** What a motion shows at a time: weights between two frames are linear, and so are the rotation vectors. */
export function sample(motion: Motion, time: number, weights: Float32Array, pose: Float32Array): void {
  const position = Math.min(Math.max(time * motion.fps, 0), motion.frames - 1);
  const first = Math.min(Math.floor(position), Math.max(motion.frames - 2, 0));
  const second = Math.min(first + 1, motion.frames - 1);
  const share = position - first;
  mix(motion.weights, COUNT, first, second, share, weights, 0);
  pose.fill(0);
  mix(motion.neck, 3, first, second, share, pose, NECK);
  mix(motion.head, 3, first, second, share, pose, HEAD);
  if (motion.eyes) mix(motion.eyes, 6, first, second, share, pose, EYES);
}

function mix(
  from: Float32Array, width: number, first: number, second: number, share: number, to: Float32Array, at: number,
): void {
  for (let c = 0; c < width; c++) {
    const a = from[first * width + c]!;
    to[at + c] = a + (from[second * width + c]! - a) * share;
  }
}

/** The built-in motions as zero1toa.viewer.motions packs them. */
export interface PackedMotion {
  name: string;
  fps: number;
  frames: number;
  shapes: number[]; // columns that are not all zero
  weights: string; // base64 of uint8, shape by shape, 255 is 1
  neck: string; // base64 of little-endian int16, tenths of a milliradian, frame by frame
  head: string;
}

const BYTE = 255;
const TICK = 1e-4; // radians

export function unpack(packed: PackedMotion): Motion {
  const { frames, shapes } = packed;
  const bytes = fromBase64(packed.weights);
  if (bytes.length !== frames * shapes.length) throw new BadFile('A built-in motion is damaged.');
  const weights = new Float32Array(frames * COUNT);
  shapes.forEach((shape, n) => {
    for (let f = 0; f < frames; f++) weights[f * COUNT + shape] = bytes[n * frames + f]! / BYTE;
  });
  return {
    name: packed.name, fps: packed.fps, frames, weights, neck: turns(packed.neck), head: turns(packed.head), eyes: null,
  };
}

function turns(text: string): Float32Array {
  const bytes = fromBase64(text);
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true) * TICK);
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const native = (Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }).fromBase64;
  if (native) return native(text);
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}
