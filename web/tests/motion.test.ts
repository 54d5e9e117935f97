// Motions, recordings of Live Link Face, blinking and gaze.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { at, COUNT, label, mirrored, NAMES, namesOf, PRESETS, REGIONS, toArray } from '../src/core/arkit';
import { BadFile } from '../src/core/glb';
import { Blinker, Gaze, Transition } from '../src/core/life';
import { frameRate, readLiveLink, rotationVector, turnFromAngles } from '../src/core/livelink';
import { type Motion, POSE, sample, seconds, unpack } from '../src/core/motion';
import { rotationMatrix } from '../src/core/quaternion';
import { turnOf, weightsOf } from '../src/webcam';

const golden = JSON.parse(readFileSync('../tests/golden/rig.json', 'utf8')) as { names: string[]; motion: any };
const near = (a: number, b: number, tolerance = 1e-6): void => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`);

test('the names are those of Python, in its order', () => assert.deepEqual([...NAMES], golden.names));

test('each shape stands in one region, and its two sides follow each other', () => {
  const shown = REGIONS.flatMap(({ prefixes }) => namesOf(prefixes));
  assert.equal(shown.length, COUNT);
  assert.equal(new Set(shown).size, COUNT);
  shown.forEach((name, i) => {
    if (name.endsWith('Left')) assert.equal(shown[i + 1], mirrored(name));
  });
});

test('labels are words', () => {
  assert.equal(label('mouthSmileLeft'), 'Smile left');
  assert.equal(label('mouthSmileLeft', true), 'Mouth smile left');
  assert.equal(label('noseSneerRight'), 'Nose sneer right');
  assert.equal(label('tongueOut'), 'Tongue out');
});

test('presets name shapes that there are, with weights in [0, 1]', () => {
  for (const { weights } of PRESETS) for (const value of toArray(weights)) assert.ok(value >= 0 && value <= 1);
});

test('a packed motion is the one that Python packed', () => {
  const motion = unpack(golden.motion.packed);
  assert.equal(motion.frames, golden.motion.weights.length);
  golden.motion.weights.forEach((row: number[], f: number) =>
    row.forEach((value, shape) => near(motion.weights[f * COUNT + shape]!, value, 0.5 / 255 + 1e-6)),
  );
  golden.motion.head.forEach((row: number[], f: number) => row.forEach((value, c) => near(motion.head[3 * f + c]!, value, 6e-5)));
});

const ramp: Motion = {
  name: 'ramp', fps: 2, frames: 3, weights: new Float32Array(3 * COUNT).map((_, i) => (i % COUNT === 17 ? Math.floor(i / COUNT) / 2 : 0)),
  neck: new Float32Array(9), head: Float32Array.from([0, 0, 0, 0.2, 0, 0, 0.4, 0, 0]), eyes: null,
};

test('between frames a motion is linear, and outside it stays', () => {
  const weights = new Float32Array(COUNT);
  const pose = new Float32Array(POSE);
  for (const [time, expected] of [[-1, 0], [0, 0], [0.25, 0.25], [0.5, 0.5], [1, 1], [9, 1]] as const) {
    sample(ramp, time, weights, pose);
    near(weights[17]!, expected);
    near(pose[6]!, 0.4 * expected);
  }
  near(seconds(ramp), 1.5);
});

const JAW = at('jawOpen');
const header = `Timecode,BlendShapeCount,${NAMES.map((n) => n[0]!.toUpperCase() + n.slice(1)).join(',')},HeadYaw,HeadPitch,HeadRoll`;
const line = (code: string, jaw: number, yaw = 0): string => [code, 61, ...NAMES.map((n) => (n === 'jawOpen' ? jaw : 0)), yaw, 0, 0].join(',');

test('a Live Link Face recording is read by the names of its columns', () => {
  const rows = Array.from({ length: 150 }, (_, i) => line(`10:00:0${Math.floor(i / 60)}:${String(i % 60).padStart(2, '0')}.123`, i / 200, 0.5));
  const motion = readLiveLink([header, ...rows].join('\r\n'), 'take.csv');
  assert.equal(motion.frames, 150);
  assert.equal(motion.fps, 60);
  near(motion.weights[149 * COUNT + at('jawOpen')]!, 149 / 200);
  near(motion.neck[1]! + motion.head[1]!, 0.5);
});

test('columns may stand in any order and case; rows without a face repeat the last', () => {
  const columns = ['TIMECODE', ...[...NAMES].reverse().map((n) => n.toUpperCase())];
  const row = columns.map((c) => (c === 'JAWOPEN' ? '0.25' : c === 'TIMECODE' ? '00:00:00:01' : '0')).join(';');
  const motion = readLiveLink([columns.join(';'), row, '00:00:00:02'].join('\n'), 'x.csv');
  near(motion.weights[at('jawOpen')]!, 0.25);
  near(motion.weights[COUNT + at('jawOpen')]!, 0.25);
});

test('frames that a recording lacks are filled, so that it keeps its time', () => {
  const at60 = (i: number): string => line(`23:59:5${9 - (i < 60 ? 1 : 0)}:${String(i % 60).padStart(2, '0')}`, i / 200);
  const kept = Array.from({ length: 120 }, (_, i) => i).filter((i) => i < 20 || i > 30);
  const rows = kept.map(at60);
  rows.push(line('00:00:00:00', 120 / 200), line('00:00:00:01', 121 / 200)); // after midnight
  const motion = readLiveLink([header, ...rows].join('\n'), 'x.csv');
  assert.equal(motion.fps, 60);
  assert.equal(motion.frames, 122);
  for (const frame of [0, 19, 25, 30, 31, 90, 121]) near(motion.weights[frame * COUNT + JAW]!, frame / 200, 1e-6);
});

for (const [what, text, expected] of [
  ['no recording', 'a,b,c\n1,2,3', /no Live Link Face recording/],
  ['empty', '', /no Live Link Face recording/],
  ['without a frame', header, /no frame/],
  ['with a word', [header, line('00:00:00:00', 0).replace(',0,', ',much,')].join('\n'), /no number in row 2: "much"/],
] as const)
  test(`a recording is refused with a sentence: ${what}`, () => {
    assert.throws(() => readLiveLink(text, 'x.csv'), (error: Error) => error instanceof BadFile && expected.test(error.message));
  });

test('the frame rate is what the timecodes say', () => {
  const codes = (rate: number, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `01:02:${String(Math.floor(i / rate)).padStart(2, '0')}:${i % rate}`);
  for (const rate of [24, 30, 60]) assert.equal(frameRate(codes(rate, rate * 3 + 5)), rate);
  assert.equal(frameRate(codes(60, 50)), 60);
  assert.equal(frameRate([]), 60);
});

test('a rotation vector and its matrix are the same rotation', () => {
  for (const turn of [[0, 0, 0], [0.3, -0.2, 0.5], [1e-8, 0, 0], [1, 1, 1]] as const)
    rotationVector(rotationMatrix(turn)).forEach((value, c) => near(value, turn[c]!, 1e-7));
  turnFromAngles(0.4, 0, 0).forEach((value, c) => near(value, [0, 0.4, 0][c]!));
});

test('a blink closes both lids and opens them again', () => {
  const blinker = new Blinker(() => 0.5);
  const weights = new Float32Array(COUNT);
  blinker.blink();
  blinker.advance(0.1);
  blinker.apply(weights);
  near(weights[at('eyeBlinkLeft')]!, 1);
  near(weights[at('eyeBlinkRight')]!, 1);
  blinker.advance(1);
  weights.fill(0);
  blinker.apply(weights);
  assert.ok(weights.every((value) => value === 0));
  assert.equal(blinker.wait, Infinity);
  blinker.enabled = true;
  assert.ok(blinker.wait < 6);
});

test('eyes look where they are told, and no farther than eyes can', () => {
  const gaze = new Gaze();
  gaze.look(15, 500);
  for (let i = 0; i < 100; i++) gaze.advance(0.05);
  const weights = new Float32Array(COUNT);
  gaze.apply(weights);
  near(weights[at('eyeLookOutLeft')]!, 0.5, 1e-3);
  near(weights[at('eyeLookInRight')]!, 0.5, 1e-3);
  near(weights[at('eyeLookUpLeft')]!, 1, 1e-3);
  assert.equal(gaze.advance(0.05), false);
});

test('a preset is reached softly and in full', () => {
  const transition = new Transition(0.2);
  const weights = new Float32Array(COUNT);
  transition.start(weights, toArray({ jawOpen: 0.8 }));
  transition.advance(0.1, weights);
  near(weights[at('jawOpen')]!, 0.4);
  transition.advance(0.2, weights);
  near(weights[at('jawOpen')]!, 0.8);
  assert.equal(transition.running, false);
});

test('a mirrored webcam swaps the sides and turns the other way', () => {
  const categories = [{ categoryName: 'eyeBlinkLeft', score: 0.7 }, { categoryName: '_neutral', score: 1 }];
  near(weightsOf(categories, true)[at('eyeBlinkRight')]!, 0.7);
  near(weightsOf(categories, false)[at('eyeBlinkLeft')]!, 0.7);
  const [c, s] = [Math.cos(0.3), Math.sin(0.3)];
  const columns = [c, 0, -s, 0, 0, 1, 0, 0, s, 0, c, 0, 1, 2, 3, 1]; // 0.3 rad about y
  turnOf(columns, false).forEach((value, i) => near(value, [0, 0.3, 0][i]!));
  turnOf(columns, true).forEach((value, i) => near(value, [0, -0.3, 0][i]!));
});
