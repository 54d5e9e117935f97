// The canvas: one avatar, its camera and how it is drawn. Draws only when asked; the player decides when.
import * as THREE from 'three';
import type { Avatar } from '../core/avatar';
import { COUNT } from '../core/arkit';
import { bind, Rig } from '../core/rig';
import { POSE } from '../core/motion';
import { MeshFigure } from './mesh';
import { type SplatFigure, SplatPainter } from './splats';
import { View } from './view';

export type Look = 'splats' | 'mesh' | 'wire';

const MOST_PIXELS_PER_POINT = 2;
const SLOW_FRAME = 0.05; // seconds; slower ones lower the resolution while something moves
const FAST_FRAME = 0.022;
const SCALES = [1, 0.75, 0.5, 0.35] as const; // of the canvas's resolution
const SLOW_FRAMES = 8; // until the resolution changes
const VERY_SLOW = 0.25; // seconds: one such frame is enough
const MESH_SUPERSAMPLING = 1.5; // edges of triangles need it, splats have none

export class Stage {
  readonly view: View;
  look: Look = 'splats';
  rig: Rig | null = null;
  avatar: Avatar | null = null;
  /** Milliseconds of this thread that the last change of pose took: morph, skin, frames, and handing them over. */
  poseMilliseconds = 0;
  private readonly renderer: THREE.WebGLRenderer;
  private readonly scene = new THREE.Scene();
  private readonly painter: SplatPainter;
  private figure: SplatFigure | null = null;
  private mesh: MeshFigure | null = null;
  private background: string | null = '#ffffff';
  private capturing = false;
  private fence: WebGLSync | null = null; // passed when the graphics card has drawn the last frame
  private scale = 0; // index into SCALES
  private slow = 0;
  private locked = false;
  private width = 1;
  private height = 1;

  /** Throws when the browser gives no WebGL 2. invalidate is called when a new frame is due. */
  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly invalidate: () => void,
  ) {
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: false, alpha: true });
    this.renderer.toneMapping = THREE.NoToneMapping;
    this.view = new View(canvas, invalidate);
    this.painter = new SplatPainter(this.renderer, this.scene, invalidate);
    this.setBackground(this.background);
  }

  /** Replaces what is shown. */
  async show(avatar: Avatar): Promise<void> {
    const rig = new Rig(avatar.head);
    const splats = bind(avatar.splats, rig);
    this.painter.setKernel(avatar.kernel);
    const figure = await this.painter.add(splats, rig);
    this.figure?.dispose();
    if (this.mesh) {
      this.scene.remove(this.mesh.group);
      this.mesh.dispose();
    }
    this.mesh = new MeshFigure(rig);
    this.scene.add(this.mesh.group);
    this.figure = figure;
    this.rig = rig;
    this.avatar = avatar;
    this.setLook(this.look);
    this.view.frame(avatar);
    await this.painter.settle(this.view.camera);
    this.invalidate();
  }

  pose(weights: Float32Array, pose: Float32Array | null): void {
    if (!this.rig || !this.figure) return;
    const start = performance.now();
    this.rig.update(weights, pose);
    this.figure.moved();
    this.mesh?.moved();
    this.poseMilliseconds = performance.now() - start;
    this.invalidate();
  }

  /** Takes over what the player shows, without waiting for the next frame. */
  settlePose(player: { advance(seconds: number): unknown; weights: Float32Array; pose: Float32Array }): void {
    player.advance(0);
    this.pose(player.weights, player.pose);
  }

  setLook(look: Look): void {
    this.look = look;
    if (this.figure) this.figure.visible = look === 'splats';
    this.mesh?.show(look);
    this.applySize();
    this.invalidate();
  }

  /** Brings the picture back after the graphics card was reset. */
  async restore(): Promise<void> {
    this.fence = null;
    this.setBackground(this.background); // three forgets it
    this.painter.forgetSort();
    for (let round = 0; round < 2; round++) {
      // The order of the first round is lost with the texture that it is for.
      this.figure?.moved();
      await this.painter.settle(this.view.camera);
    }
    this.mesh?.moved();
    this.invalidate();
  }

  /** A colour like "#204060", or null for a transparent page and pictures. */
  setBackground(color: string | null): void {
    this.background = color;
    if (color) this.renderer.setClearColor(new THREE.Color(color), 1);
    else this.renderer.setClearColor(0x000000, 0);
    this.invalidate();
  }

  resize(width: number, height: number): void {
    if (width < 1 || height < 1) return;
    this.width = width;
    this.height = height;
    this.applySize();
    this.view.resize(width / height);
    this.invalidate();
  }

  /**
   * Whether a frame may be drawn: not while the graphics card still works on the one before, since frames that queue up
   * only come late and keep the page from answering.
   */
  ready(): boolean {
    if (this.capturing) return false;
    if (!this.fence) return true;
    const gl = this.renderer.getContext() as WebGL2RenderingContext;
    if (!gl.isContextLost() && gl.getSyncParameter(this.fence, gl.SYNC_STATUS) !== gl.SIGNALED) return false;
    gl.deleteSync(this.fence);
    this.fence = null;
    return true;
  }

  draw(): void {
    this.renderer.render(this.scene, this.view.camera);
    const gl = this.renderer.getContext() as WebGL2RenderingContext;
    this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0); // the browser flushes when the frame is handed over
  }

  /** Tells how long the last frame took while something moves; lowers or raises the resolution. */
  moving(seconds: number): void {
    if (this.locked) return;
    if (seconds > VERY_SLOW) this.slow += SLOW_FRAMES;
    else if (seconds > SLOW_FRAME) this.slow += 1;
    else if (seconds < FAST_FRAME) this.slow -= 0.1;
    if (this.slow > SLOW_FRAMES && this.scale < SCALES.length - 1) this.setScale(this.scale + 1);
    if (this.slow < -SLOW_FRAMES && this.scale > 0) this.setScale(this.scale - 1);
  }

  /** A still picture is drawn at full resolution. True when a new frame is needed for that. */
  still(): boolean {
    this.slow = 0;
    if (this.scale === 0 || this.locked) return false;
    this.setScale(0);
    return true;
  }

  /** While recording, the size of the canvas must not change. */
  lock(locked: boolean): void {
    if (locked) this.still();
    this.locked = locked;
  }

  /** A finished picture: all splats in place and in order. The canvas's own size unless another is given. */
  async capture(size?: { width: number; height: number }): Promise<Blob> {
    const camera = this.view.camera;
    const aspect = camera.aspect;
    this.capturing = true;
    try {
      if (size) {
        this.renderer.setPixelRatio(1);
        this.renderer.setSize(size.width, size.height, false);
        camera.aspect = size.width / size.height;
        camera.updateProjectionMatrix();
      } else {
        this.still();
      }
      await this.painter.settle(camera);
      this.renderer.render(this.scene, camera);
      const blob = await new Promise<Blob | null>((resolve) => this.canvas.toBlob(resolve, 'image/png'));
      if (!blob) throw new Error('the browser gave no picture');
      return blob;
    } finally {
      if (size) {
        camera.aspect = aspect;
        camera.updateProjectionMatrix();
        this.applySize();
      }
      this.capturing = false;
      this.invalidate();
    }
  }

  get busy(): boolean {
    return this.painter.sorting;
  }

  /** How many splats the graphics card has drawn. */
  get activeSplats(): number {
    return this.painter.active;
  }

  /**
   * Milliseconds that n changes of pose take, each with all 52 shapes, a turned head and the upload of its frames, and
   * `draws` whole calls of the renderer, with the graphics card idle before each: for the benchmark.
   */
  async measure(n: number, draws: number): Promise<{ rig: number[]; upload: number[]; draw: number[] }> {
    const result = { rig: [] as number[], upload: [] as number[], draw: [] as number[] };
    const { rig, figure, renderer, scene } = this;
    if (!rig || !figure) return result;
    const weights = new Float32Array(COUNT);
    const pose = new Float32Array(POSE);
    const move = (i: number): void => {
      for (let shape = 0; shape < COUNT; shape++) weights[shape] = 0.5 + 0.5 * Math.sin(i * 0.37 + shape);
      pose[6] = 0.1 * Math.sin(i * 0.2);
      rig.update(weights, pose);
    };
    this.capturing = true;
    for (let i = 0; i < n; i++) {
      const start = performance.now();
      move(i);
      const updated = performance.now();
      figure.moved();
      renderer.initTexture(figure.frames);
      result.rig.push(updated - start);
      result.upload.push(performance.now() - updated);
    }
    for (let i = 0; i < draws; i++) {
      move(i);
      figure.moved();
      await this.painter.settle(this.view.camera);
      figure.moved();
      const start = performance.now();
      renderer.render(scene, this.view.camera);
      result.draw.push(performance.now() - start);
    }
    this.capturing = false;
    this.invalidate();
    return result;
  }

  private setScale(scale: number): void {
    this.scale = scale;
    this.slow = 0;
    this.applySize();
  }

  private applySize(): void {
    const finer = this.look === 'splats' ? 1 : MESH_SUPERSAMPLING;
    const points = Math.min(window.devicePixelRatio * finer, MOST_PIXELS_PER_POINT);
    this.renderer.setPixelRatio(points * SCALES[this.scale]!);
    this.renderer.setSize(this.width, this.height, false);
  }
}
