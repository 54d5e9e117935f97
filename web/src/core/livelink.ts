// Recordings of Live Link Face: CSV, a column per ARKit shape, matched by name; angles in radians as
// zero1toa.motion.live_link reads them: pitch about x (down), yaw about y (to the subject's left), roll about z.
import { COUNT, NAMES } from './arkit';
import { BadFile } from './glb';
import { type Motion, NECK_SHARE } from './motion';
import { type Matrix, multiply, rotationMatrix } from './quaternion';

const RATES = [24, 25, 30, 48, 50, 60, 90, 100, 120, 240]; // frames a second that recorders use
const USUAL_RATE = 60; // the app's own
const FEWEST_SHAPES = 10; // fewer columns of known names are no recording of a face
const LONGEST = 3600; // seconds
const TIMECODE = /^(\d+):(\d{1,2}):(\d{1,2})(?:[:;](\d+(?:\.\d*)?)|(\.\d+))?$/; // HH:MM:SS:FF.sub
const DAY = 86_400; // seconds
const STEADY = 0.5; // of a frame: rows that stray less from an even rhythm are even
const MOST_BYTES = 200e6;

/** Reads a recording. Throws BadFile with a sentence. */
export function readLiveLink(text: string, name: string): Motion {
  if (text.length > MOST_BYTES) throw new BadFile(`${name} is larger than a recording of a face can be.`);
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/).filter((line) => line.replace(/[,;\s]/g, '') !== '');
  const separator = count(lines[0] ?? '', ';') > count(lines[0] ?? '', ',') ? ';' : ',';
  const header = (lines[0] ?? '').split(separator).map(plain);
  const columns = NAMES.map((shape) => header.indexOf(shape.toLowerCase()));
  const known = columns.filter((column) => column >= 0).length;
  if (known < FEWEST_SHAPES)
    throw new BadFile(`${name} is no Live Link Face recording: it lacks columns such as JawOpen and EyeBlinkLeft.`);
  const angles = ['headyaw', 'headpitch', 'headroll'].map((angle) => header.indexOf(angle));
  const time = header.indexOf('timecode');

  const rows = lines.slice(1).map((line) => line.split(separator));
  const frames = rows.length;
  if (frames === 0) throw new BadFile(`${name} has a header but no frame.`);
  const fps = frameRate(rows.map((row) => row[time] ?? ''));
  if (frames / fps > LONGEST) throw new BadFile(`${name} is longer than an hour.`);
  const weights = new Float32Array(frames * COUNT);
  const neck = new Float32Array(frames * 3);
  const head = new Float32Array(frames * 3);
  const number = (row: string[], column: number, previous: number, line: number): number => {
    const cell = column >= 0 ? (row[column] ?? '').trim() : '0';
    if (cell === '') return previous; // the app saw no face
    const value = Number(cell);
    if (!Number.isFinite(value)) throw new BadFile(`${name} holds something that is no number in row ${line + 2}: "${cell.slice(0, 20)}".`);
    return value;
  };
  const last = [0, 0, 0];
  rows.forEach((row, f) => {
    for (let shape = 0; shape < COUNT; shape++) {
      const previous = f > 0 ? weights[(f - 1) * COUNT + shape]! : 0;
      weights[f * COUNT + shape] = Math.min(Math.max(number(row, columns[shape]!, previous, f), 0), 1);
    }
    for (let c = 0; c < 3; c++) last[c] = number(row, angles[c]!, last[c]!, f);
    const turn = turnFromAngles(last[0]!, last[1]!, last[2]!);
    for (let c = 0; c < 3; c++) {
      neck[3 * f + c] = turn[c]! * NECK_SHARE;
      head[3 * f + c] = turn[c]! * (1 - NECK_SHARE);
    }
  });
  return evened({ name, fps, frames, weights, neck, head, eyes: null }, rowTimes(rows.map((row) => row[time] ?? ''), fps));
}

/** Seconds of the rows since the first one; null where the timecodes do not say. Midnight may pass. */
export function rowTimes(codes: string[], fps: number): number[] | null {
  const times: number[] = [];
  let days = 0;
  for (const code of codes) {
    const match = TIMECODE.exec(code.trim());
    if (!match || match[4] === undefined) return null;
    const second = 3600 * Number(match[1]) + 60 * Number(match[2]) + Number(match[3]);
    let now = second + Math.min(Number(match[4]) / fps, 1) + days * DAY;
    if (times.length && now < times.at(-1)! - DAY / 2) {
      days++;
      now += DAY;
    }
    if (times.length && now < times.at(-1)!) return null;
    times.push(now);
  }
  return times.map((now) => now - times[0]!);
}

/** The motion at even times: where rows are missing, the ones around them are mixed. */
function evened(motion: Motion, times: number[] | null): Motion {
  const { fps } = motion;
  if (!times || times.every((now, row) => Math.abs(now * fps - row) < STEADY)) return motion;
  const frames = Math.round(times.at(-1)! * fps) + 1;
  if (frames > LONGEST * fps) return motion;
  const parts = { weights: COUNT, neck: 3, head: 3 } as const;
  const result: Motion = { ...motion, frames };
  for (const part of Object.keys(parts) as (keyof typeof parts)[]) result[part] = new Float32Array(frames * parts[part]);
  let row = 0;
  for (let f = 0; f < frames; f++) {
    while (row < motion.frames - 2 && times[row + 1]! <= f / fps) row++;
    const next = Math.min(row + 1, motion.frames - 1);
    const span = times[next]! - times[row]!;
    const share = span > 0 ? Math.min(Math.max((f / fps - times[row]!) / span, 0), 1) : 0;
    for (const part of Object.keys(parts) as (keyof typeof parts)[])
      for (let c = 0; c < parts[part]; c++) {
        const a = motion[part][row * parts[part] + c]!;
        result[part][f * parts[part] + c] = a + (motion[part][next * parts[part] + c]! - a) * share;
      }
  }
  return result;
}

/** Rotation vector of yaw, then pitch, then roll, each about the axis that the one before has turned. */
export function turnFromAngles(yaw: number, pitch: number, roll: number): [number, number, number] {
  const m = multiply(multiply(rotationMatrix([0, yaw, 0]), rotationMatrix([pitch, 0, 0])), rotationMatrix([0, 0, roll]));
  return rotationVector(m);
}

/** The rotation vector, radians, of a rotation below half a turn. */
export function rotationVector(m: Matrix): [number, number, number] {
  const angle = Math.acos(Math.min(Math.max((m[0] + m[4] + m[8] - 1) / 2, -1), 1));
  const factor = angle < 1e-6 ? 0.5 : angle / (2 * Math.sin(angle));
  return [(m[7] - m[5]) * factor, (m[2] - m[6]) * factor, (m[3] - m[1]) * factor];
}

/** Frames a second of a list of timecodes HH:MM:SS:FF.sub, from how many rows a second holds. */
export function frameRate(codes: string[]): number {
  const moments = codes.map((code) => TIMECODE.exec(code.trim()));
  const full = new Map<number, number>();
  let highest = 0;
  const whole: number[] = [];
  for (const match of moments) {
    if (!match) continue;
    const second = 3600 * Number(match[1]) + 60 * Number(match[2]) + Number(match[3]);
    whole.push(second);
    full.set(second, (full.get(second) ?? 0) + 1);
    highest = Math.max(highest, Number(match[4] ?? 0));
  }
  const seconds = [...full.keys()];
  const inner = seconds.slice(1, -1).map((second) => full.get(second)!); // the first and the last are not whole
  if (inner.length) {
    inner.sort((a, b) => a - b);
    return nearest(inner[inner.length >> 1]!);
  }
  if (whole.length === 0) return USUAL_RATE;
  return highest < 30 ? 30 : USUAL_RATE; // too short to show its rhythm
}

function nearest(rate: number): number {
  const best = RATES.reduce((a, b) => (Math.abs(b - rate) < Math.abs(a - rate) ? b : a));
  return Math.abs(best - rate) <= 0.1 * rate ? best : rate;
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

function plain(name: string): string {
  return name.trim().replace(/^"|"$/g, '').replace(/[_\s]/g, '').toLowerCase();
}

