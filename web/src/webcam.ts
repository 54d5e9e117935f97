// The webcam drives the avatar: MediaPipe's face landmarker, with library and model from the user's own files.
import { COUNT, INDEX } from './core/arkit';
import { rotationVector } from './core/livelink';
import { NECK_SHARE, POSE } from './core/motion';
import type { Matrix } from './core/quaternion';
import type { Driver } from './player';

/** Addresses of the four files: library and its two parts from npm's @mediapipe/tasks-vision, and the model. */
export interface TrackerFiles {
  bundle: string; // vision_bundle.mjs
  loader: string; // wasm/vision_wasm_internal.js
  binary: string; // wasm/vision_wasm_internal.wasm
  model: string; // face_landmarker.task
}

const SMOOTHING = 0.05; // seconds after which two thirds of a change are shown
const LOST_SECONDS = 0.5; // without a face for so long, the head goes back to rest

/** What this file uses of tasks-vision. */
interface Landmarker {
  detectForVideo(video: HTMLVideoElement, milliseconds: number): {
    faceBlendshapes: { categories: { categoryName: string; score: number }[] }[];
    facialTransformationMatrixes: { data: ArrayLike<number> }[];
  };
  close(): void;
}
interface Vision {
  FaceLandmarker: { createFromOptions(fileset: object, options: object): Promise<Landmarker> };
}

/** Which of the four a file is, by its name. */
export function role(name: string): keyof TrackerFiles | null {
  if (/^vision_bundle\.m?js$/.test(name)) return 'bundle';
  if (name === 'vision_wasm_internal.js') return 'loader';
  if (name === 'vision_wasm_internal.wasm') return 'binary';
  if (name.endsWith('.task')) return 'model';
  return null;
}

export class Webcam {
  readonly driver: Driver = { weights: new Float32Array(COUNT), pose: new Float32Array(POSE) };
  mirror = true;
  /** Whether the last frame showed a face. */
  face = false;
  private landmarker: Landmarker | null = null;
  private stream: MediaStream | null = null;
  private last = 0;
  private seen = 0;
  private neutral: { weights: Float32Array; turn: number[] } | null = null;
  private raw: { weights: Float32Array; turn: number[] } | null = null;

  constructor(readonly video: HTMLVideoElement) {}

  get running(): boolean {
    return this.stream !== null;
  }

  /** Asks for the camera and loads the model. Throws with a sentence. */
  async start(files: TrackerFiles): Promise<void> {
    this.stop();
    if (!navigator.mediaDevices?.getUserMedia)
      throw new Error('This page may not use a camera: open it from this computer (127.0.0.1) or by https.');
    if (!this.landmarker) this.landmarker = await load(files);
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, facingMode: 'user' } });
    } catch (error) {
      const reason = (error as DOMException).name === 'NotAllowedError' ? 'it was not allowed' : 'none was found';
      throw new Error(`No picture from a camera: ${reason}.`);
    }
    this.video.srcObject = this.stream;
    await this.video.play();
    this.last = this.seen = performance.now();
  }

  stop(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
    this.driver.weights.fill(0);
    this.driver.pose.fill(0);
  }

  /** Takes the face as it is now for the neutral one. */
  calibrate(): void {
    this.neutral = this.raw && { weights: Float32Array.from(this.raw.weights), turn: [...this.raw.turn] };
  }

  /** Looks at the newest picture; to be called once a frame. */
  update(): void {
    if (!this.landmarker || !this.stream || this.video.readyState < 2) return;
    const now = performance.now();
    if (now <= this.last) return;
    const found = this.landmarker.detectForVideo(this.video, now);
    const share = 1 - Math.exp(-(now - this.last) / 1000 / SMOOTHING);
    this.last = now;
    const categories = found.faceBlendshapes[0]?.categories;
    this.face = categories !== undefined;
    if (categories) {
      this.seen = now;
      this.raw = { weights: weightsOf(categories, this.mirror), turn: turnOf(found.facialTransformationMatrixes[0]?.data, this.mirror) };
    } else if (now - this.seen > LOST_SECONDS * 1000) {
      this.raw = null;
    }
    this.approach(share);
  }

  private approach(share: number): void {
    const { weights, pose } = this.driver;
    for (let i = 0; i < COUNT; i++) {
      const rest = this.neutral?.weights[i] ?? 0;
      const target = Math.min(Math.max((this.raw?.weights[i] ?? 0) - rest, 0) / (1 - Math.min(rest, 0.9)), 1);
      weights[i] = weights[i]! + (target - weights[i]!) * share;
    }
    for (let c = 0; c < 3; c++) {
      const target = (this.raw?.turn[c] ?? 0) - (this.raw ? (this.neutral?.turn[c] ?? 0) : 0);
      pose[3 + c] = pose[3 + c]! + (target * NECK_SHARE - pose[3 + c]!) * share;
      pose[6 + c] = pose[6 + c]! + (target * (1 - NECK_SHARE) - pose[6 + c]!) * share;
    }
  }
}

async function load(files: TrackerFiles): Promise<Landmarker> {
  let vision: Vision;
  try {
    vision = (await import(/* the user's own file */ files.bundle)) as Vision;
  } catch {
    throw new Error('The library vision_bundle.mjs could not be loaded.');
  }
  if (!vision.FaceLandmarker) throw new Error('vision_bundle.mjs is not the library @mediapipe/tasks-vision.');
  try {
    return await vision.FaceLandmarker.createFromOptions(
      { wasmLoaderPath: files.loader, wasmBinaryPath: files.binary },
      {
        baseOptions: { modelAssetPath: files.model },
        runningMode: 'VIDEO',
        numFaces: 1,
        outputFaceBlendshapes: true,
        outputFacialTransformationMatrixes: true,
      },
    );
  } catch (error) {
    throw new Error(`MediaPipe could not load the model: ${String((error as Error).message ?? error).split('\n')[0]!.slice(0, 160)}`);
  }
}

/** MediaPipe names the subject's own sides; mirrored, the avatar does as a mirror would. */
export function weightsOf(categories: { categoryName: string; score: number }[], mirror: boolean): Float32Array {
  const weights = new Float32Array(COUNT);
  for (const { categoryName, score } of categories) {
    const name = mirror ? swapped(categoryName) : categoryName;
    const index = INDEX.get(name);
    if (index !== undefined) weights[index] = score;
  }
  return weights;
}

function swapped(name: string): string {
  if (name.endsWith('Left')) return `${name.slice(0, -4)}Right`;
  if (name.endsWith('Right')) return `${name.slice(0, -5)}Left`;
  return name;
}

/** The head's rotation vector from MediaPipe's 4x4 matrix (column by column, y up, z towards the camera). */
export function turnOf(data: ArrayLike<number> | undefined, mirror: boolean): number[] {
  if (!data || data.length < 16) return [0, 0, 0];
  const size = Math.hypot(data[0]!, data[1]!, data[2]!) || 1;
  const m = [0, 4, 8, 1, 5, 9, 2, 6, 10].map((i) => data[i]! / size) as unknown as Matrix;
  const [x, y, z] = rotationVector(m);
  return mirror ? [x, -y, -z] : [x, y, z];
}
