// An avatar file (zero1toa.avatar_io.schema, version 1) as plain arrays. Checks what a wrong file could break.
import { COUNT, INDEX, NAMES } from './arkit';
import { BadFile, Glb, type Primitive, type Rows } from './glb';
import { type Matrix, rotationMatrix, solve } from './quaternion';

export const JOINTS = ['root', 'neck', 'head', 'jaw', 'eyeLeft', 'eyeRight'] as const;
export const PARENTS = [-1, 0, 1, 2, 2, 2] as const;
export const HEAD = 2;
export const FIRST_EYE = 4;

const VERSION = 1;
const MOST_ROWS = 200_000;
const MOST_SPLATS = 2_000_000;
const SPLATS = 'KHR_gaussian_splatting';
const SH_C0 = 0.28209479177387814; // spherical harmonic of degree 0
const SET = 4; // joints per glTF set JOINTS_n, WEIGHTS_n

/** How the rows of a mesh move at weight 1: displacements in metres of the rows that move. */
export interface Morph {
  rows: Uint32Array; // (M,)
  offsets: Float32Array; // (M, 3)
}

/** A weight that turns an eyeball: rotation vector in radians at weight 1. */
export interface Gaze {
  shape: number;
  joint: number;
  rotation: readonly [number, number, number];
}

/** The skinned mesh at rest, without expression. Metres, y up, the face to +z. R rows, T triangles. */
export interface Head {
  rest: Float32Array; // (R, 3)
  faces: Uint32Array; // (T, 3)
  vertex: Uint32Array; // (R,) the vertex of each row: rows on a texture seam share one
  colors: Float32Array; // (R, 3) linear light
  morphs: Morph[]; // 52, order of arkit.NAMES, without what the eye joints do
  joints: Float64Array; // (6, 3)
  influences: number; // K
  jointOf: Uint8Array; // (R, K)
  weightOf: Float32Array; // (R, K)
  gaze: Gaze[];
}

/** N splats at rest. */
export interface Splats {
  count: number;
  centers: Float32Array; // (N, 3) metres
  rotations: Float32Array; // (N, 4) xyzw
  scales: Float32Array; // (N, 3) standard deviations, metres
  opacities: Float32Array; // (N,)
  colors: Float32Array; // (N, 3) sRGB display values
  triangle: Uint32Array; // (N,)
}

export interface PhotoCamera {
  viewmat: number[][]; // (4, 4) world to camera, OpenCV axes
  intrinsics: [number, number, number, number]; // fx, fy, cx, cy in pixels
  size: [number, number];
}

export interface Avatar {
  head: Head;
  splats: Splats;
  kernel: string;
  headModel: string;
  provenance: Record<string, string | number | boolean>;
  photo: { camera: PhotoCamera; expression: number[] };
  bytes: number;
}

/** Reads an avatar. Throws BadFile with a sentence for the user. */
export function readAvatar(buffer: ArrayBuffer): Avatar {
  const glb = Glb.parse(buffer);
  try {
    return decode(glb, buffer.byteLength);
  } catch (error) {
    // A JSON of the wrong shape ends as a TypeError or RangeError somewhere below.
    if (error instanceof BadFile) throw error;
    throw new BadFile('The file is damaged: its description is not that of an avatar.');
  }
}

function decode(glb: Glb, bytes: number): Avatar {
  const ours = glb.document.extras?.zero1toa as Record<string, any> | undefined;
  if (typeof ours !== 'object' || ours === null)
    throw new BadFile('This GLB is no avatar. Open a file that "zero1toa create" wrote.');
  if (!(Number.isInteger(ours.version) && ours.version >= 1)) throw new BadFile('The file is damaged: it has no version.');
  if (ours.version > VERSION)
    throw new BadFile(`The avatar has format ${ours.version}, this viewer reads up to ${VERSION}. Update zero1toa.`);
  const head = readHead(glb, primitive(glb, 0), ours);
  return {
    head,
    splats: readSplats(glb, primitive(glb, 1), head.faces.length / 3),
    kernel: String(ours.kernel),
    headModel: String(ours.headModel),
    provenance: ours.provenance ?? {},
    photo: readPhoto(ours.photo),
    bytes,
  };
}

function primitive(glb: Glb, mesh: number): Primitive {
  const found = glb.document.meshes?.[mesh]?.primitives?.[0];
  if (!found?.attributes) throw new BadFile('The file is damaged: a mesh is missing.');
  return found;
}

function readHead(glb: Glb, mesh: Primitive, ours: Record<string, any>): Head {
  const attributes = mesh.attributes;
  const rest = glb.floats(attributes.POSITION, 3);
  const rows = rest.length / 3;
  if (rows === 0 || rows > MOST_ROWS) throw new BadFile('The file is damaged: its mesh has too many or no vertices.');
  const faces = glb.whole(mesh.indices, rows);
  if (faces.length === 0 || faces.length % 3) throw new BadFile('The file is damaged: its mesh has no whole triangles.');
  const { joints, influences, jointOf, weightOf } = readSkin(glb, attributes, rows);
  const gaze = readGaze(ours.gaze);
  const head: Head = {
    rest,
    faces,
    vertex: glb.whole(attributes._VERTEX, rows, rows),
    colors: readColors(glb, attributes.COLOR_0, rows),
    morphs: readMorphs(glb, mesh, rows),
    joints,
    influences,
    jointOf,
    weightOf,
    gaze,
  };
  for (const turn of gaze) removeChord(head, turn);
  return head;
}

function readSkin(glb: Glb, attributes: Record<string, number>, rows: number) {
  const inverse = glb.floats(glb.document.skins?.[0]?.inverseBindMatrices, 16, JOINTS.length);
  const joints = new Float64Array(JOINTS.length * 3);
  for (let j = 0; j < JOINTS.length; j++) for (let c = 0; c < 3; c++) joints[3 * j + c] = -inverse[16 * j + 12 + c]!;
  const sets = attributes.JOINTS_1 === undefined ? 1 : 2;
  const influences = SET * sets;
  const jointOf = new Uint8Array(rows * influences);
  const weightOf = new Float32Array(rows * influences);
  for (let n = 0; n < sets; n++) {
    const joint = glb.whole(attributes[`JOINTS_${n}`], JOINTS.length, rows);
    const weight = glb.floats(attributes[`WEIGHTS_${n}`], SET, rows);
    for (let row = 0; row < rows; row++)
      for (let k = 0; k < SET; k++) {
        jointOf[row * influences + n * SET + k] = joint[row * SET + k]!;
        weightOf[row * influences + n * SET + k] = weight[row * SET + k]!;
      }
  }
  return { joints, influences, jointOf, weightOf };
}

function readColors(glb: Glb, accessor: number | undefined, rows: number): Float32Array {
  const grey = 0.4; // linear light; a mesh without colours still shows its shape
  if (accessor === undefined) return new Float32Array(rows * 3).fill(grey);
  return glb.floats(accessor, 3, rows);
}

function readMorphs(glb: Glb, mesh: Primitive, rows: number): Morph[] {
  const names = glb.document.meshes![0]!.extras?.targetNames as string[] | undefined;
  const targets = mesh.targets ?? [];
  if (!Array.isArray(names) || names.length !== targets.length)
    throw new BadFile('The file is damaged: its movements have no names.');
  return NAMES.map((name) => {
    const target = targets[names.indexOf(name)];
    if (!target) throw new BadFile(`The file is damaged: the movement ${name} is missing.`);
    return toMorph(glb.rows(target.POSITION), rows);
  });
}

function toMorph(stored: Rows, rows: number): Morph {
  if (stored.width !== 3 || stored.count !== rows || (stored.values.length && !(stored.values instanceof Float32Array)))
    throw new BadFile('The file is damaged: a movement does not fit the mesh.');
  for (const value of stored.values) if (!Number.isFinite(value)) throw new BadFile('The file is damaged: it holds no number.');
  const offsets = Float32Array.from(stored.values);
  return { rows: stored.rows ?? Uint32Array.from({ length: rows }, (_, row) => row), offsets };
}

function readGaze(stored: unknown): Gaze[] {
  return Object.entries((stored ?? {}) as Record<string, { joint: string; rotation: number[] }>).map(([name, turn]) => {
    const joint = JOINTS.indexOf(turn.joint as (typeof JOINTS)[number]);
    const shape = INDEX.get(name);
    const [x, y, z] = turn.rotation.map(Number);
    if (shape === undefined || joint < FIRST_EYE || !Number.isFinite(x! + y! + z!))
      throw new BadFile('The file is damaged: its gaze turns something that is no eye.');
    return { shape, joint, rotation: [x!, y!, z!] as const };
  });
}

/** A movement smaller than this on a vertex of the eye is rounding, metres (zero1toa.avatar_io.gaze). */
const CHORD_NOISE = 2e-9;

/** The file's eyeLook movements shift the eyeball along a chord, for programs without joints; here the joint turns it. */
function removeChord(head: Head, { shape, joint, rotation }: Gaze): void {
  const { rest, joints, influences } = head;
  const turn = rotationMatrix(rotation);
  const moved = new Map<number, [number, number, number]>();
  const morph = head.morphs[shape]!;
  for (let i = 0; i < morph.rows.length; i++)
    moved.set(morph.rows[i]!, [morph.offsets[3 * i]!, morph.offsets[3 * i + 1]!, morph.offsets[3 * i + 2]!]);
  const centre = joints.subarray(3 * joint, 3 * joint + 3);
  for (let row = 0; row < rest.length / 3; row++) {
    let weight = 0;
    for (let k = 0; k < influences; k++)
      if (head.jointOf[row * influences + k] === joint) weight += head.weightOf[row * influences + k]!;
    if (weight === 0) continue;
    const arm = [0, 1, 2].map((c) => rest[3 * row + c]! - centre[c]!);
    const shift = turn.map((value, i) => weight * (value - (i % 4 === 0 ? 1 : 0))); // w (R - I)
    const delta = moved.get(row) ?? [0, 0, 0];
    const left = [0, 1, 2].map(
      (c) => delta[c]! - shift[3 * c]! * arm[0]! - shift[3 * c + 1]! * arm[1]! - shift[3 * c + 2]! * arm[2]!,
    );
    const system = shift.map((value, i) => value + (i % 4 === 0 ? 1 : 0)) as unknown as Matrix;
    const own = solve(system, left as [number, number, number]);
    if (Math.max(...own.map(Math.abs)) < CHORD_NOISE) moved.delete(row);
    else moved.set(row, own);
  }
  head.morphs[shape] = {
    rows: Uint32Array.from(moved.keys()),
    offsets: Float32Array.from([...moved.values()].flat()),
  };
}

function readSplats(glb: Glb, mesh: Primitive, triangles: number): Splats {
  const attributes = mesh.attributes;
  const triangle = glb.whole(attributes._FACE, triangles);
  const count = triangle.length;
  if (count === 0 || count > MOST_SPLATS) throw new BadFile('The file is damaged: it has too many or no splats.');
  const colors = glb.floats(attributes[`${SPLATS}:SH_DEGREE_0_COEF_0`], 3, count);
  for (let i = 0; i < colors.length; i++) colors[i] = 0.5 + SH_C0 * colors[i]!;
  return {
    count,
    centers: glb.floats(attributes.POSITION, 3, count),
    rotations: glb.floats(attributes[`${SPLATS}:ROTATION`], 4, count),
    scales: glb.floats(attributes[`${SPLATS}:SCALE`], 3, count),
    opacities: glb.floats(attributes[`${SPLATS}:OPACITY`], 1, count),
    colors,
    triangle,
  };
}

function readPhoto(photo: Record<string, any>): Avatar['photo'] {
  const camera = photo.camera as PhotoCamera;
  const numbers = [...camera.viewmat.flat(), ...camera.intrinsics, ...camera.size];
  if (numbers.length !== 22 || !numbers.every(Number.isFinite) || camera.intrinsics[1] <= 0 || camera.size[1] < 1)
    throw new BadFile('The file is damaged: the camera of its photo is not valid.');
  const expression = Array.isArray(photo.expression) ? photo.expression.map(Number) : [];
  return { camera, expression: expression.length === COUNT && expression.every(Number.isFinite) ? expression : [] };
}
