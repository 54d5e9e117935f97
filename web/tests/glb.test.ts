// Files that are not what they should be: each ends as one sentence, never as another error.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readAvatar } from '../src/core/avatar';
import { BadFile } from '../src/core/glb';

const golden = JSON.parse(readFileSync('../tests/golden/rig.json', 'utf8')) as { glb: string };
const whole = new Uint8Array(Buffer.from(golden.glb, 'base64'));

const read = (bytes: Uint8Array): unknown => readAvatar(bytes.slice().buffer as ArrayBuffer);

/** The file with its description changed. */
function edited(change: (document: any) => void): Uint8Array {
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
  const length = view.getUint32(12, true);
  const document = JSON.parse(new TextDecoder().decode(whole.subarray(20, 20 + length)));
  change(document);
  let text = new TextEncoder().encode(JSON.stringify(document));
  const padded = new Uint8Array(Math.ceil(text.length / 4) * 4).fill(0x20);
  padded.set(text);
  text = padded;
  const rest = whole.subarray(20 + length);
  const out = new Uint8Array(20 + text.length + rest.length);
  out.set(whole.subarray(0, 20));
  out.set(text, 20);
  out.set(rest, 20 + text.length);
  const header = new DataView(out.buffer);
  header.setUint32(8, out.length, true);
  header.setUint32(12, text.length, true);
  return out;
}

const nameOf = (document: any, name: string): number => document.meshes[1].primitives[0].attributes[name];

const broken: Record<string, [Uint8Array, RegExp]> = {
  'no GLB': [new TextEncoder().encode('this is a text and no avatar at all'), /no GLB/],
  empty: [new Uint8Array(0), /no GLB/],
  'cut off': [whole.subarray(0, whole.length - 1000), /copied in full/],
  'no avatar': [edited((d) => delete d.extras), /no avatar/],
  'of a newer version': [edited((d) => (d.extras.zero1toa.version = 9)), /format 9/],
  'without a movement': [edited((d) => (d.meshes[0].extras.targetNames[17] = 'jaw')), /jawOpen/],
  'without splats': [edited((d) => d.meshes.pop()), /mesh is missing/],
  'a view beyond the end': [edited((d) => (d.bufferViews[0].byteOffset = 1e9)), /beyond its end/],
  'a negative offset': [edited((d) => (d.bufferViews[0].byteOffset = -4)), /beyond its end/],
  'too many rows': [edited((d) => (d.accessors[nameOf(d, '_FACE')].count = 1e9)), /missing/],
  'splats of different numbers': [edited((d) => (d.accessors[nameOf(d, 'POSITION')].count -= 1)), /size/],
  'a gaze that is none': [edited((d) => (d.extras.zero1toa.gaze.eyeLookUpLeft.joint = 'jaw')), /gaze/],
  'no photo': [edited((d) => delete d.extras.zero1toa.photo), /damaged/],
  'lists where objects belong': [edited((d) => (d.meshes = [3, 'x'])), /damaged/],
};

for (const [what, [bytes, expected]] of Object.entries(broken)) {
  test(`a file is refused with a sentence: ${what}`, () => {
    assert.throws(() => read(bytes), (error: Error) => {
      assert.ok(error instanceof BadFile, String(error.stack));
      assert.match(error.message, expected);
      assert.match(error.message, /^[A-Z].*\.$/);
      return true;
    });
  });
}

test('bytes changed at random give an avatar or a sentence', () => {
  let state = 1;
  const random = (below: number): number => {
    state = (state * 48271) % 0x7fffffff;
    return state % below;
  };
  for (let round = 0; round < 150; round++) {
    const bytes = whole.slice();
    for (let n = 0; n < 3; n++) bytes[20 + random(round % 2 ? 4000 : bytes.length - 20)] = random(256);
    try {
      read(bytes);
    } catch (error) {
      assert.ok(error instanceof BadFile, String((error as Error).stack));
    }
  }
});

test('what the file says of itself is read', () => {
  const avatar = readAvatar(whole.slice().buffer as ArrayBuffer);
  assert.equal(avatar.splats.count, 40);
  assert.equal(avatar.provenance.synthetic, true);
  assert.equal(avatar.photo.expression.length, 52);
  assert.equal(avatar.kernel, 'classic');
});
