// The head's mesh as a shaded surface or as a wireframe, sharing the rig's positions.
import * as THREE from 'three';
import type { Rig } from '../core/rig';

export class MeshFigure {
  readonly group = new THREE.Group();
  private readonly geometry = new THREE.BufferGeometry();
  private readonly surface: THREE.MeshStandardMaterial;
  private readonly lines: THREE.MeshBasicMaterial;
  private readonly wire: THREE.Mesh;
  private readonly normals: Float32Array;

  constructor(private readonly rig: Rig) {
    const { head, positions } = rig;
    this.normals = new Float32Array(positions.length);
    this.geometry.setAttribute('position', dynamic(positions));
    this.geometry.setAttribute('normal', dynamic(this.normals));
    this.geometry.setAttribute('color', new THREE.BufferAttribute(head.colors, 3));
    this.geometry.setIndex(new THREE.BufferAttribute(head.faces, 1));
    this.surface = new THREE.MeshStandardMaterial({
      vertexColors: true, roughness: 0.75, metalness: 0, side: THREE.DoubleSide,
      polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1, // behind its own lines
    });
    this.lines = new THREE.MeshBasicMaterial({ wireframe: true, color: 0x2f6fed, transparent: true, opacity: 0.55 });
    const mesh = new THREE.Mesh(this.geometry, this.surface);
    this.wire = new THREE.Mesh(this.geometry, this.lines);
    for (const one of [mesh, this.wire]) one.frustumCulled = false;
    const sky = new THREE.HemisphereLight(0xffffff, 0x8d8d99, 2.2);
    const key = new THREE.DirectionalLight(0xffffff, 1.6);
    key.position.set(0.6, 0.9, 1.2);
    this.group.add(mesh, this.wire, sky, key);
    this.group.visible = false;
  }

  show(look: 'splats' | 'mesh' | 'wire'): void {
    this.group.visible = look !== 'splats';
    this.wire.visible = look === 'wire';
    this.surface.vertexColors = look === 'mesh';
    this.surface.color.set(look === 'mesh' ? 0xffffff : 0xd9dde6);
    this.surface.needsUpdate = true;
    if (this.group.visible) this.moved();
  }

  /** To be called when the rig has moved; costs nothing while the mesh is not shown. */
  moved(): void {
    if (!this.group.visible) return;
    this.computeNormals();
    this.geometry.attributes.position!.needsUpdate = true;
    this.geometry.attributes.normal!.needsUpdate = true;
  }

  dispose(): void {
    this.geometry.dispose();
    this.surface.dispose();
    this.lines.dispose();
  }

  /** Area-weighted normals; rows that share a vertex share its normal, so texture seams do not show. */
  private computeNormals(): void {
    const { head, positions: p } = this.rig;
    const { faces, vertex } = head;
    const sum = new Float32Array(p.length);
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [faces[f]! * 3, faces[f + 1]! * 3, faces[f + 2]! * 3] as const;
      const ux = p[b]! - p[a]!, uy = p[b + 1]! - p[a + 1]!, uz = p[b + 2]! - p[a + 2]!;
      const vx = p[c]! - p[a]!, vy = p[c + 1]! - p[a + 1]!, vz = p[c + 2]! - p[a + 2]!;
      const n = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx] as const;
      for (let k = 0; k < 3; k++) {
        const o = vertex[faces[f + k]!]! * 3;
        for (let i = 0; i < 3; i++) sum[o + i] = sum[o + i]! + n[i]!;
      }
    }
    for (let row = 0; row < vertex.length; row++) {
      const o = vertex[row]! * 3;
      const length = Math.hypot(sum[o]!, sum[o + 1]!, sum[o + 2]!) || 1;
      for (let i = 0; i < 3; i++) this.normals[3 * row + i] = sum[o + i]! / length;
    }
  }
}

function dynamic(values: Float32Array): THREE.BufferAttribute {
  const attribute = new THREE.BufferAttribute(values, 3);
  attribute.setUsage(THREE.DynamicDrawUsage);
  return attribute;
}
