// The rig against the golden vectors that the Python rig made and is tested with too.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { toArray } from '../src/core/arkit';
import { readAvatar } from '../src/core/avatar';
import { bind, FRAME, placed, Rig } from '../src/core/rig';

interface Case {
  name: string;
  weights: Record<string, number>;
  pose: number[][] | null;
  vertices: number[][];
  frames: { origin: number[][]; scale: number[]; rotation: number[][] };
  splats: { means: number[][]; rotations: number[][]; scales: number[][] };
}

const FRAME_STEP = 3; // as in tools/rig_golden.py
const LENGTH = 4e-7; // metres: float32 at the size of a head, and the rounding of the file
const TURN = 2e-5; // of a unit quaternion; some of the made-up triangles are slivers

const golden = JSON.parse(readFileSync('../tests/golden/rig.json', 'utf8')) as { glb: string; cases: Case[] };
const bytes = Buffer.from(golden.glb, 'base64');
const avatar = readAvatar(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer);
const rig = new Rig(avatar.head);
const bound = bind(avatar.splats, rig);

const wxyz = (q: readonly number[]): number[] => [q[3]!, q[0]!, q[1]!, q[2]!];

function close(found: readonly number[], expected: readonly number[], tolerance: number, what: string): void {
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - found[i]!)));
  assert.ok(worst <= tolerance, `${what}: off by ${worst}`);
}

/** A quaternion and its negative are the same rotation. */
function sameTurn(found: readonly number[], expected: readonly number[], what: string): void {
  const dot = expected.reduce((sum, value, i) => sum + value * found[i]!, 0);
  close(found.map((value) => value * Math.sign(dot)), expected, TURN, what);
}

for (const one of golden.cases) {
  test(`the rig agrees with Python: ${one.name}`, () => {
    rig.update(toArray(one.weights), one.pose && Float32Array.from(one.pose.flat()));
    avatar.head.vertex.forEach((vertex, row) => {
      close([...rig.positions.subarray(3 * row, 3 * row + 3)], one.vertices[vertex]!, LENGTH, `row ${row}`);
    });
    one.frames.scale.forEach((scale, n) => {
      const frame = [...rig.frames.subarray(n * FRAME_STEP * FRAME, (n * FRAME_STEP + 1) * FRAME)];
      close(frame, one.frames.origin[n]!, LENGTH, `origin ${n}`);
      close([frame[3]!], [scale], LENGTH, `scale ${n}`);
      sameTurn(wxyz(frame.slice(4)), one.frames.rotation[n]!, `rotation ${n}`);
    });
    one.splats.means.forEach((mean, n) => {
      const splat = placed(bound, n, rig);
      close(splat.center, mean, 2 * LENGTH, `splat ${n}`);
      sameTurn(wxyz(splat.rotation), one.splats.rotations[n]!, `turn of splat ${n}`);
      close(splat.scale, one.splats.scales[n]!, LENGTH, `scales of splat ${n}`);
    });
  });
}

test('a pose that is all zero is the rest pose', () => {
  rig.update(toArray({ jawOpen: 0.4 }), null);
  const still = Float32Array.from(rig.positions);
  rig.update(toArray({ jawOpen: 0.4 }), new Float32Array(18));
  assert.deepEqual(rig.positions, still);
});
