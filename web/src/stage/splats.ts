// The only file that knows Spark. Splats that follow a rig: each reads the frame of its triangle from a texture on the GPU.
import { dyno, SparkRenderer, SplatMesh } from '@sparkjsdev/spark';
import * as THREE from 'three';
import { type BoundSplats, type Rig, TEXTURE_WIDTH } from '../core/rig';

/** Texels per splat in the texture of what never changes. */
const TEXELS = 4;

/** Standard deviations at which a Gaussian of opacity 1 falls below 1/255, where our own rasterizer cuts. */
const MAX_STD_DEV = Math.sqrt(2 * Math.log(255));

/** Pixels^2 added to a splat's projected covariance by both kernels. */
const DILATION = 0.3;

const SORT_POLL = 4; // milliseconds
const LONGEST_SORT = 15_000;

/** Draws splats with three: add it to the scene once. */
export class SplatPainter {
  readonly spark: SparkRenderer;

  /** onDirty is called when a new frame would look different, for example because sorting has ended. */
  constructor(
    private readonly renderer: THREE.WebGLRenderer,
    private readonly scene: THREE.Scene,
    onDirty: () => void,
  ) {
    this.spark = new SparkRenderer({
      renderer,
      onDirty,
      enableLod: false,
      accumExtSplats: true, // float32 centres: half floats are off by up to half a millimetre
      sortRadial: false, // by depth, as our own rasterizer
      maxStdDev: MAX_STD_DEV,
      preBlurAmount: DILATION,
      blurAmount: 0,
    });
    scene.add(this.spark);
  }

  /** "classic" dilates and leaves opacities; "antialiased" compensates them. */
  setKernel(kernel: string): void {
    const classic = kernel !== 'antialiased';
    this.spark.preBlurAmount = classic ? DILATION : 0;
    this.spark.blurAmount = classic ? 0 : DILATION;
  }

  async add(splats: BoundSplats, rig: Rig): Promise<SplatFigure> {
    const source = new BoundSource(splats, rig);
    const mesh = new SplatMesh({ splats: source, raycastable: false, editable: false });
    await mesh.initialized;
    this.scene.add(mesh);
    return new SplatFigure(mesh, source, this.scene);
  }

  /** How many splats the last frame held. */
  get active(): number {
    return this.spark.activeSplats;
  }

  get sorting(): boolean {
    return this.spark.sorting;
  }

  /** To be called when the graphics card was reset: a sort that was under way then never ends. */
  forgetSort(): void {
    this.spark.sorting = false;
    this.spark.sortDirty = true;
  }

  private async sorted(): Promise<void> {
    const end = performance.now() + LONGEST_SORT;
    while ((this.spark.sorting || this.spark.sortDirty) && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, SORT_POLL));
  }

  /** Brings positions and order up to date, so that the next frame is final. */
  async settle(camera: THREE.Camera): Promise<void> {
    this.scene.updateMatrixWorld();
    camera.updateMatrixWorld();
    await this.sorted(); // a sort under way is of an older pose, and update would not wait for its own
    await this.spark.update({ scene: this.scene, camera });
    await this.sorted();
    // Spark 2.2.0 loses an order that is found before the texture of the first one has been uploaded.
    if (this.spark.orderingTexture) this.renderer.initTexture(this.spark.orderingTexture);
  }
}

/** The splats of one avatar in the scene. */
export class SplatFigure {
  constructor(
    private readonly mesh: SplatMesh,
    private readonly source: BoundSource,
    private readonly scene: THREE.Scene,
  ) {}

  /** To be called when the rig's frames have changed. */
  moved(): void {
    this.source.frames.needsUpdate = true;
    this.mesh.updateVersion();
  }

  /** The texture of the frames, for measuring its upload. */
  get frames(): THREE.DataTexture {
    return this.source.frames;
  }

  set visible(visible: boolean) {
    this.mesh.visible = visible;
  }

  dispose(): void {
    this.scene.remove(this.mesh);
    this.mesh.dispose();
    this.source.dispose();
  }
}

/** Spark's interface SplatSource. */
class BoundSource {
  readonly frames: THREE.DataTexture;
  private readonly still: THREE.DataTexture;
  private readonly count: number;
  private readonly dynoFrames: dyno.DynoSampler2D<'frames', THREE.Texture>;
  private readonly dynoStill: dyno.DynoSampler2D<'still', THREE.Texture>;

  constructor(splats: BoundSplats, rig: Rig) {
    this.count = splats.count;
    this.frames = floatTexture(rig.frames, rig.textureHeight);
    const rows = Math.ceil((splats.count * TEXELS) / TEXTURE_WIDTH);
    const data = new Float32Array(TEXTURE_WIDTH * rows * 4);
    for (let i = 0; i < splats.count; i++) {
      const o = i * TEXELS * 4;
      data.set(splats.means.subarray(3 * i, 3 * i + 3), o);
      data[o + 3] = splats.triangle[i]!;
      data.set(splats.rotations.subarray(4 * i, 4 * i + 4), o + 4);
      data.set(splats.scales.subarray(3 * i, 3 * i + 3), o + 8);
      data[o + 11] = Math.min(splats.opacities[i]!, 1); // above 1 means something else to Spark
      data.set(splats.colors.subarray(3 * i, 3 * i + 3), o + 12);
    }
    this.still = floatTexture(data, rows);
    this.dynoFrames = new dyno.DynoSampler2D({ key: 'frames', value: this.frames as THREE.Texture });
    this.dynoStill = new dyno.DynoSampler2D({ key: 'still', value: this.still as THREE.Texture });
  }

  fetchSplat({ index }: { index: dyno.DynoVal<'int'> }): dyno.DynoVal<typeof dyno.Gsplat> {
    const place = new dyno.Dyno({
      inTypes: { index: 'int', still: 'sampler2D', frames: 'sampler2D' },
      outTypes: { gsplat: dyno.Gsplat },
      inputs: { index, still: this.dynoStill, frames: this.dynoFrames },
      globals: () => [dyno.defineGsplat],
      statements: ({ inputs: i, outputs: { gsplat: o } }) =>
        dyno.unindentLines(`
          ivec2 at = ivec2((${i.index} & 511) << 2, ${i.index} >> 9);
          vec4 first = texelFetch(${i.still}, at, 0);
          vec4 third = texelFetch(${i.still}, at + ivec2(2, 0), 0);
          int triangle = int(first.w);
          ivec2 frameAt = ivec2((triangle & 1023) << 1, triangle >> 10);
          vec4 origin = texelFetch(${i.frames}, frameAt, 0);
          vec4 turn = texelFetch(${i.frames}, frameAt + ivec2(1, 0), 0);
          ${o}.index = ${i.index};
          ${o}.flags = GSPLAT_FLAG_ACTIVE;
          ${o}.center = origin.xyz + quatVec(turn, origin.w * first.xyz);
          ${o}.quaternion = quatQuat(turn, texelFetch(${i.still}, at + ivec2(1, 0), 0));
          ${o}.scales = origin.w * third.xyz;
          ${o}.rgba = vec4(texelFetch(${i.still}, at + ivec2(3, 0), 0).rgb, third.w);
        `),
    });
    return place.outputs.gsplat;
  }

  getNumSplats(): number {
    return this.count;
  }
  getNumSh(): number {
    return 0;
  }
  hasRgbDir(): boolean {
    return false;
  }
  prepareFetchSplat(): void {}
  setMaxSh(): void {}
  forEachSplat(): void {} // for bounding boxes and picking, which the mesh does
  dispose(): void {
    this.still.dispose();
    this.frames.dispose();
  }
}

function floatTexture(data: Float32Array, height: number): THREE.DataTexture {
  const texture = new THREE.DataTexture(data as Float32Array<ArrayBuffer>, TEXTURE_WIDTH, height, THREE.RGBAFormat, THREE.FloatType);
  texture.needsUpdate = true;
  return texture;
}
