// The head in motion: ARKit weights and a pose to vertices, vertices to one frame per triangle, splats into those frames.
// Pure numbers; the same as heads.rigged and splats.rig in Python, held together by tests/golden/rig.json.
import { at, COUNT } from './arkit';
import { FIRST_EYE, type Head, JOINTS, PARENTS, type Splats } from './avatar';
import { apply, type Matrix, multiply, rotationMatrix, type Vector } from './quaternion';

/** Floats of a triangle's frame: centroid, scale, rotation xyzw; two texels of a texture. */
export const FRAME = 8;

/** Texels in a row of the texture that carries the frames: 1,024 triangles. */
export const TEXTURE_WIDTH = 2048;

const SHORTEST = 1e-12; // metres: an edge that is not longer has no direction
const NARROWEST = 1e-4; // sine of the angle up to which rounding decides the normal
const THIRD = 1 / 3;
const STEEP = 0.6; // an edge with a smaller x is safely away from the x axis

const JAW_OPEN = at('jawOpen');
const MOUTH_CLOSE = at('mouthClose');

/** A rotation and a translation: x' = R x + t. */
const TRANSFORM = 12;

export class Rig {
  /** (R, 3) rows of the mesh as they are now, metres. */
  readonly positions: Float32Array;
  /** FRAME floats per triangle, padded to whole rows of the texture. */
  readonly frames: Float32Array;
  readonly textureHeight: number;
  readonly triangles: number;
  private readonly eyeRows: Uint32Array;
  private readonly corners: Int32Array; // (T, 3) where in `positions` each corner begins

  constructor(readonly head: Head) {
    this.positions = Float32Array.from(head.rest);
    this.triangles = head.faces.length / 3;
    this.textureHeight = Math.ceil(this.triangles / (TEXTURE_WIDTH / 2));
    this.frames = new Float32Array(TEXTURE_WIDTH * this.textureHeight * 4);
    this.eyeRows = rowsOfEyes(head);
    this.corners = Int32Array.from(head.faces, (row) => 3 * row);
    this.computeFrames();
  }

  /**
   * Poses the mesh and finds the frames of its triangles.
   *
   * weights: 52, order of arkit.NAMES; mouthClose counts only up to jawOpen.
   * pose: rotation vectors (6, 3) in radians about each joint, relative to its parent; null is the rest pose.
   */
  update(weights: Float32Array, pose: Float32Array | null): void {
    this.morph(weights);
    this.skin(weights, pose && pose.some((value) => value !== 0) ? pose : null);
    this.computeFrames();
  }

  private morph(weights: Float32Array): void {
    const { positions, head } = this;
    positions.set(head.rest);
    for (let shape = 0; shape < COUNT; shape++) {
      let weight = weights[shape]!;
      if (shape === MOUTH_CLOSE) weight = Math.min(weight, Math.max(weights[JAW_OPEN]!, 0));
      if (weight === 0) continue;
      const { rows, offsets } = head.morphs[shape]!;
      for (let i = 0, j = 0; i < rows.length; i++, j += 3) {
        const o = rows[i]! * 3;
        positions[o] = positions[o]! + weight * offsets[j]!;
        positions[o + 1] = positions[o + 1]! + weight * offsets[j + 1]!;
        positions[o + 2] = positions[o + 2]! + weight * offsets[j + 2]!;
      }
    }
  }

  private skin(weights: Float32Array, pose: Float32Array | null): void {
    const transforms = jointTransforms(this.head, weights, pose);
    if (!transforms) return;
    if (pose) {
      const rows = this.positions.length / 3;
      for (let row = 0; row < rows; row++) this.skinRow(row, transforms);
    } else {
      for (const row of this.eyeRows) this.skinRow(row, transforms); // without a pose only the eyes move
    }
  }

  private skinRow(row: number, transforms: Float64Array): void {
    const { positions, head } = this;
    const { influences, jointOf, weightOf } = head;
    const o = row * 3;
    const x = positions[o]!, y = positions[o + 1]!, z = positions[o + 2]!;
    let px = 0, py = 0, pz = 0;
    for (let k = row * influences, end = k + influences; k < end; k++) {
      const w = weightOf[k]!;
      if (w === 0) continue;
      const m = jointOf[k]! * TRANSFORM;
      px += w * (transforms[m]! * x + transforms[m + 1]! * y + transforms[m + 2]! * z + transforms[m + 3]!);
      py += w * (transforms[m + 4]! * x + transforms[m + 5]! * y + transforms[m + 6]! * z + transforms[m + 7]!);
      pz += w * (transforms[m + 8]! * x + transforms[m + 9]! * y + transforms[m + 10]! * z + transforms[m + 11]!);
    }
    positions[o] = px;
    positions[o + 1] = py;
    positions[o + 2] = pz;
  }

  private computeFrames(): void {
    const { positions: v, frames, corners } = this;
    for (let f = 0, o = 0; f < corners.length; f += 3, o += FRAME) {
      const i = corners[f]!, j = corners[f + 1]!, k = corners[f + 2]!;
      const ax = v[i]!, ay = v[i + 1]!, az = v[i + 2]!;
      let ex = v[j]! - ax, ey = v[j + 1]! - ay, ez = v[j + 2]! - az;
      const fx = v[k]! - ax, fy = v[k + 1]! - ay, fz = v[k + 2]! - az;
      frames[o] = ax + (ex + fx) * THIRD;
      frames[o + 1] = ay + (ey + fy) * THIRD;
      frames[o + 2] = az + (ez + fz) * THIRD;

      let length = Math.sqrt(ex * ex + ey * ey + ez * ez);
      if (length > SHORTEST) {
        const inverse = 1 / length;
        ex *= inverse;
        ey *= inverse;
        ez *= inverse;
      } else {
        ex = 1;
        ey = ez = length = 0;
      }
      let nx = ey * fz - ez * fy, ny = ez * fx - ex * fz, nz = ex * fy - ey * fx;
      let square = nx * nx + ny * ny + nz * nz;
      let height = Math.sqrt(square);
      frames[o + 3] = (length + height) * 0.5;
      if (square <= NARROWEST * NARROWEST * Math.max(fx * fx + fy * fy + fz * fz, SHORTEST * SHORTEST)) {
        // No area: any normal at right angles to the edge will do.
        if (Math.abs(ex) < STEEP) {
          nx = 0;
          ny = ez;
          nz = -ey;
        } else {
          nx = -ez;
          ny = 0;
          nz = ex;
        }
        square = nx * nx + ny * ny + nz * nz;
        height = Math.sqrt(square);
      }
      const upright = 1 / height;
      nx *= upright;
      ny *= upright;
      nz *= upright;
      const sx = ey * nz - ez * ny, sy = ez * nx - ex * nz, sz = ex * ny - ey * nx;

      // The rotation with the columns e, n, s as a quaternion: the row of 4 q q^T with the largest diagonal. Written out
      // here, since a call with so many numbers would make a heap object of each.
      const dw = 1 + ex + ny + sz, dx = 1 + ex - ny - sz, dy = 1 - ex + ny - sz, dz = 1 - ex - ny + sz;
      let w: number, x: number, y: number, z: number, largest: number;
      if (dw >= dx && dw >= dy && dw >= dz) {
        w = largest = dw; x = nz - sy; y = sx - ez; z = ey - nx;
      } else if (dx >= dy && dx >= dz) {
        w = nz - sy; x = largest = dx; y = ey + nx; z = sx + ez;
      } else if (dy >= dz) {
        w = sx - ez; x = ey + nx; y = largest = dy; z = nz + sy;
      } else {
        w = ey - nx; x = sx + ez; y = nz + sy; z = largest = dz;
      }
      const factor = (w < 0 ? -0.5 : 0.5) / Math.sqrt(largest); // the row's length is twice the root of its diagonal
      frames[o + 4] = x * factor;
      frames[o + 5] = y * factor;
      frames[o + 6] = z * factor;
      frames[o + 7] = w * factor;
    }
  }
}

function rowsOfEyes(head: Head): Uint32Array {
  const rows: number[] = [];
  for (let row = 0; row < head.rest.length / 3; row++)
    for (let k = row * head.influences; k < (row + 1) * head.influences; k++)
      if (head.jointOf[k]! >= FIRST_EYE && head.weightOf[k]! > 0) {
        rows.push(row);
        break;
      }
  return Uint32Array.from(rows);
}

/** (6, 12) transforms that carry rest points to posed points; null when nothing turns. */
function jointTransforms(head: Head, weights: Float32Array, pose: Float32Array | null): Float64Array | null {
  const gaze = new Map<number, [number, number, number]>();
  for (const { shape, joint, rotation } of head.gaze) {
    const weight = weights[shape]!;
    if (weight === 0) continue;
    const sum = gaze.get(joint) ?? [0, 0, 0];
    for (let c = 0; c < 3; c++) sum[c] = sum[c]! + weight * rotation[c]!;
    gaze.set(joint, sum);
  }
  if (!pose && gaze.size === 0) return null;
  const result = new Float64Array(JOINTS.length * TRANSFORM);
  const rotations: Matrix[] = [];
  const translations: [number, number, number][] = [];
  for (let j = 0; j < JOINTS.length; j++) {
    let local = rotationMatrix(pose ? [pose[3 * j]!, pose[3 * j + 1]!, pose[3 * j + 2]!] : [0, 0, 0]);
    const turn = gaze.get(j);
    if (turn) local = multiply(local, rotationMatrix(turn));
    const joint: Vector = [head.joints[3 * j]!, head.joints[3 * j + 1]!, head.joints[3 * j + 2]!];
    const turned = apply(local, joint);
    let rotation = local;
    let translation: [number, number, number] = [joint[0] - turned[0], joint[1] - turned[1], joint[2] - turned[2]];
    const parent = PARENTS[j]!;
    if (parent >= 0) {
      rotation = multiply(rotations[parent]!, local);
      const carried = apply(rotations[parent]!, translation);
      const base = translations[parent]!;
      translation = [carried[0] + base[0], carried[1] + base[1], carried[2] + base[2]];
    }
    rotations.push(rotation);
    translations.push(translation);
    for (let r = 0; r < 3; r++) {
      for (let c = 0; c < 3; c++) result[j * TRANSFORM + 4 * r + c] = rotation[3 * r + c]!;
      result[j * TRANSFORM + 4 * r + 3] = translation[r]!;
    }
  }
  return result;
}

/** Splats in the frames of their triangles: means in units of the triangle's scale. */
export interface BoundSplats {
  count: number;
  means: Float32Array; // (N, 3)
  rotations: Float32Array; // (N, 4) xyzw
  scales: Float32Array; // (N, 3)
  opacities: Float32Array; // (N,)
  colors: Float32Array; // (N, 3)
  triangle: Uint32Array; // (N,)
}

/** Binds splats to their triangles; `rig` must be at rest. */
export function bind(splats: Splats, rig: Rig): BoundSplats {
  const { count, triangle } = splats;
  const means = new Float32Array(3 * count);
  const rotations = new Float32Array(4 * count);
  const scales = new Float32Array(3 * count);
  const f = rig.frames;
  for (let i = 0; i < count; i++) {
    const o = triangle[i]! * FRAME;
    const k = Math.max(f[o + 3]!, SHORTEST);
    const x = -f[o + 4]!, y = -f[o + 5]!, z = -f[o + 6]!, w = f[o + 7]!;
    const dx = splats.centers[3 * i]! - f[o]!, dy = splats.centers[3 * i + 1]! - f[o + 1]!;
    const dz = splats.centers[3 * i + 2]! - f[o + 2]!;
    const tx = 2 * (y * dz - z * dy), ty = 2 * (z * dx - x * dz), tz = 2 * (x * dy - y * dx);
    means[3 * i] = (dx + w * tx + y * tz - z * ty) / k;
    means[3 * i + 1] = (dy + w * ty + z * tx - x * tz) / k;
    means[3 * i + 2] = (dz + w * tz + x * ty - y * tx) / k;
    const [qx, qy, qz, qw] = [0, 1, 2, 3].map((c) => splats.rotations[4 * i + c]!) as [number, number, number, number];
    rotations[4 * i] = w * qx + x * qw + y * qz - z * qy;
    rotations[4 * i + 1] = w * qy - x * qz + y * qw + z * qx;
    rotations[4 * i + 2] = w * qz + x * qy - y * qx + z * qw;
    rotations[4 * i + 3] = w * qw - x * qx - y * qy - z * qz;
    for (let c = 0; c < 3; c++) scales[3 * i + c] = splats.scales[3 * i + c]! / k;
  }
  return { count, means, rotations, scales, opacities: splats.opacities, colors: splats.colors, triangle };
}

/** Where one bound splat stands now: what the graphics card computes for each, for tests. */
export function placed(bound: BoundSplats, i: number, rig: Rig): { center: number[]; rotation: number[]; scale: number[] } {
  const f = rig.frames;
  const o = bound.triangle[i]! * FRAME;
  const k = f[o + 3]!, x = f[o + 4]!, y = f[o + 5]!, z = f[o + 6]!, w = f[o + 7]!;
  const [px, py, pz] = [0, 1, 2].map((c) => k * bound.means[3 * i + c]!) as [number, number, number];
  const tx = 2 * (y * pz - z * py), ty = 2 * (z * px - x * pz), tz = 2 * (x * py - y * px);
  const [bx, by, bz, bw] = [0, 1, 2, 3].map((c) => bound.rotations[4 * i + c]!) as [number, number, number, number];
  return {
    center: [
      f[o]! + px + w * tx + y * tz - z * ty,
      f[o + 1]! + py + w * ty + z * tx - x * tz,
      f[o + 2]! + pz + w * tz + x * ty - y * tx,
    ],
    rotation: [
      w * bx + x * bw + y * bz - z * by,
      w * by - x * bz + y * bw + z * bx,
      w * bz + x * by - y * bx + z * bw,
      w * bw - x * bx - y * by - z * bz,
    ],
    scale: [0, 1, 2].map((c) => k * bound.scales[3 * i + c]!),
  };
}
