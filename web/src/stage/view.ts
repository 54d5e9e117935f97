// The camera around the head: the same front view as Avatar.front_camera in Python, orbiting, and standard views.
import * as THREE from 'three';
import { OrbitControls } from 'three/addons/controls/OrbitControls.js';
import { type Avatar, HEAD } from '../core/avatar';
import { smooth } from '../core/life';

const BEFORE_HEAD = 0.02; // metres in front of the head's joint: where the camera looks (zero1toa.avatar.head_camera)
const CLOSEST = 0.35; // of the front view's distance
const FARTHEST = 3;
const TURN_SECONDS = 0.45;
const WIDEST_FOV = 60; // degrees; a photo's camera beyond it is a mistake
const NARROWEST_ASPECT = 0.86; // of the canvas; narrower ones move the camera back so that the ears stay in view
const DEGREE = Math.PI / 180;

export class View {
  readonly camera = new THREE.PerspectiveCamera(25, 1, 0.02, 20);
  readonly controls: OrbitControls;
  private home = { target: new THREE.Vector3(), distance: 0.9 };
  private turn: { from: THREE.Spherical; to: THREE.Spherical; target: THREE.Vector3; passed: number } | null = null;

  constructor(element: HTMLElement, onChange: () => void) {
    this.controls = new OrbitControls(this.camera, element);
    this.controls.enableDamping = true;
    this.controls.dampingFactor = 0.12;
    this.controls.rotateSpeed = 0.7;
    this.controls.zoomSpeed = 0.8;
    this.controls.addEventListener('change', onChange);
    this.controls.addEventListener('start', () => (this.turn = null));
  }

  /** Looks at an avatar from where its photo's camera was far away. */
  frame(avatar: Avatar): void {
    const joint = avatar.head.joints.subarray(3 * HEAD, 3 * HEAD + 3);
    const { viewmat, intrinsics, size } = avatar.photo.camera;
    const middle = new THREE.Vector3(joint[0]!, joint[1]!, joint[2]! + BEFORE_HEAD);
    const row = viewmat[2] as [number, number, number, number];
    const depth = row[0] * middle.x + row[1] * middle.y + row[2] * middle.z + row[3];
    this.home = { target: middle, distance: Math.abs(depth) || 0.9 };
    this.camera.fov = Math.min((2 * Math.atan(size[1] / 2 / intrinsics[1])) / DEGREE, WIDEST_FOV);
    this.camera.near = this.home.distance * 0.05;
    this.camera.far = this.home.distance * FARTHEST * 4;
    this.camera.updateProjectionMatrix();
    this.go(0, 0, 1, false);
  }

  /** Degrees: yaw to the subject's left, pitch up; zoom 1 is the front view's distance, 2 half of it. */
  go(yaw: number, pitch: number, zoom: number, animate: boolean): void {
    const to = new THREE.Spherical(this.distance / zoom, Math.PI / 2 - pitch * DEGREE, yaw * DEGREE);
    this.controls.minDistance = this.distance * CLOSEST;
    this.controls.maxDistance = this.distance * FARTHEST;
    if (animate) {
      const from = this.spherical();
      // The short way round.
      from.theta += 2 * Math.PI * Math.round((to.theta - from.theta) / (2 * Math.PI));
      this.turn = { from, to, target: this.controls.target.clone(), passed: 0 };
    } else {
      this.turn = null;
      this.place(to, this.home.target);
    }
  }

  /** Turns by degrees from where the camera is, or moves closer by a factor. */
  nudge(yaw: number, pitch: number, closer = 1): void {
    const now = this.spherical();
    const limit = 85 * DEGREE;
    const phi = Math.min(Math.max(now.phi - pitch * DEGREE, Math.PI / 2 - limit), Math.PI / 2 + limit);
    const radius = Math.min(Math.max(now.radius / closer, this.distance * CLOSEST), this.distance * FARTHEST);
    this.turn = null;
    this.place(new THREE.Spherical(radius, phi, now.theta + yaw * DEGREE), this.controls.target);
  }

  resize(aspect: number): void {
    const before = this.distance;
    this.camera.aspect = aspect;
    this.camera.updateProjectionMatrix();
    const now = this.spherical();
    now.radius *= this.distance / before;
    this.place(now, this.controls.target);
  }

  /** Lets time pass; true while the camera moves by itself. */
  advance(seconds: number): boolean {
    if (this.turn) {
      const { from, to, target } = this.turn;
      this.turn.passed += seconds;
      const share = smooth(Math.min(this.turn.passed / TURN_SECONDS, 1));
      const mix = (a: number, b: number): number => a + (b - a) * share;
      const at = new THREE.Spherical(mix(from.radius, to.radius), mix(from.phi, to.phi), mix(from.theta, to.theta));
      this.place(at, target.clone().lerp(this.home.target, share));
      if (share === 1) this.turn = null;
      return true;
    }
    return this.controls.update();
  }

  /** Where a point of the page lies as seen from the head, degrees: yaw to the subject's left, pitch up. */
  direction(x: number, y: number): { yaw: number; pitch: number } {
    const plane = 0.45 * this.home.distance; // metres in front of the head where the pointer is imagined
    const point = new THREE.Vector3(x, y, 0.5).unproject(this.camera).sub(this.camera.position).normalize();
    const position = this.camera.position.clone().addScaledVector(point, this.camera.position.distanceTo(this.home.target) - plane);
    const to = position.sub(this.home.target);
    return { yaw: Math.atan2(to.x, Math.max(to.z, 1e-6)) / DEGREE, pitch: Math.atan2(to.y, Math.hypot(to.x, to.z)) / DEGREE };
  }

  private get distance(): number {
    return this.home.distance * Math.max(NARROWEST_ASPECT / this.camera.aspect, 1);
  }

  private spherical(): THREE.Spherical {
    return new THREE.Spherical().setFromVector3(this.camera.position.clone().sub(this.controls.target));
  }

  private place(at: THREE.Spherical, target: THREE.Vector3): void {
    this.controls.target.copy(target);
    this.camera.position.setFromSpherical(at).add(target);
    this.camera.lookAt(target);
    this.controls.update();
  }
}
