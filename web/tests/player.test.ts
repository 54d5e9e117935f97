// How sliders, motions, the webcam, blinks and the turn of the head come together.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, COUNT, toArray } from '../src/core/arkit';
import { type Motion, POSE } from '../src/core/motion';
import { Player } from '../src/player';

const JAW = at('jawOpen');
const near = (a: number, b: number, tolerance = 1e-6): void => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`);

/** The jaw opens evenly to 0.5 within a second, at ten frames a second. */
function opening(): Motion {
  const weights = new Float32Array(11 * COUNT);
  for (let f = 0; f < 11; f++) weights[f * COUNT + JAW] = f / 20;
  return { name: 'opening', fps: 10, frames: 11, weights, neck: new Float32Array(33), head: new Float32Array(33), eyes: null };
}

test('a slider moves its shape at once, within [0, 1]', () => {
  const player = new Player();
  player.advance(0);
  assert.equal(player.advance(0.1).changed, false);
  player.setWeight(JAW, 1.7);
  assert.deepEqual(player.advance(0), { changed: true, moving: false });
  near(player.weights[JAW]!, 1);
});

test('a motion adds to the sliders, up to 1', () => {
  const player = new Player();
  player.setWeight(JAW, 0.2);
  player.load(opening());
  assert.equal(player.advance(0.5).moving, true);
  near(player.weights[JAW]!, 0.2 + 0.25);
  player.setWeight(JAW, 0.9);
  player.advance(0.3);
  near(player.weights[JAW]!, 1);
  near(player.manual[JAW]!, 0.9);
});

test('a motion begins again or stops at its end, at the speed asked for', () => {
  const player = new Player();
  player.load(opening());
  player.speed = 2;
  player.advance(0.3);
  near(player.time, 0.6);
  player.advance(0.35);
  near(player.time, 1.3 - 1.1);
  player.loop = false;
  player.advance(5);
  near(player.time, 1.1);
  assert.equal(player.playing, false);
  player.seek(-3);
  near(player.time, 0);
});

test('without its motion the face is what the sliders say', () => {
  const player = new Player();
  player.load(opening());
  player.advance(0.5);
  player.load(null);
  assert.equal(player.advance(0).changed, true);
  assert.ok(player.weights.every((weight) => weight === 0));
});

test('a person before the camera takes the place of a motion', () => {
  const player = new Player();
  player.load(opening(), false);
  player.seek(1);
  const weights = toArray({ eyeBlinkLeft: 0.5 });
  player.driver = { weights, pose: new Float32Array(POSE).fill(0.01) };
  player.advance(0.01);
  near(player.weights[JAW]!, 0);
  near(player.weights[at('eyeBlinkLeft')]!, 0.5);
  near(player.pose[7]!, 0.01);
});

test('neck and head share a turn by hand', () => {
  const player = new Player();
  player.setTurn({ yaw: 30 });
  player.advance(0);
  near(player.pose[4]! + player.pose[7]!, Math.PI / 6);
  assert.ok(player.pose[7]! > player.pose[4]! && player.pose[4]! > 0);
  player.setTurn({ yaw: 0 });
  player.advance(0);
  assert.ok(player.pose.every((value) => value === 0));
});

test('a preset comes softly, and a slider in between wins', () => {
  const player = new Player();
  player.setWeights(toArray({ jawOpen: 1 }));
  player.advance(0.1);
  assert.ok(player.weights[JAW]! > 0 && player.weights[JAW]! < 1);
  assert.equal(player.settling, true);
  player.setWeight(JAW, 0.1);
  player.advance(1);
  near(player.weights[JAW]!, 0.1);
});
