// A film of the canvas as WebM, by the browser's own encoder.

const FPS = 30;
const BITS_PER_SECOND = 12_000_000;
const TYPES = ['video/webm;codecs=vp9', 'video/webm;codecs=vp8', 'video/webm'];

export class Recorder {
  private recorder: MediaRecorder | null = null;
  private parts: Blob[] = [];

  constructor(private readonly canvas: HTMLCanvasElement) {}

  get running(): boolean {
    return this.recorder !== null;
  }

  /** Throws when the browser cannot record. */
  start(): void {
    const type = typeof MediaRecorder === 'undefined' ? undefined : TYPES.find((one) => MediaRecorder.isTypeSupported(one));
    if (!type || !this.canvas.captureStream) throw new Error('This browser cannot record WebM.');
    this.parts = [];
    this.recorder = new MediaRecorder(this.canvas.captureStream(FPS), { mimeType: type, videoBitsPerSecond: BITS_PER_SECOND });
    this.recorder.addEventListener('dataavailable', ({ data }) => this.parts.push(data));
    this.recorder.start(1000);
  }

  /** Ends the recording and gives the film. */
  stop(): Promise<Blob> {
    const recorder = this.recorder!;
    this.recorder = null;
    return new Promise((resolve) => {
      recorder.addEventListener('stop', () => resolve(new Blob(this.parts, { type: 'video/webm' })), { once: true });
      recorder.stop();
      for (const track of recorder.stream.getTracks()) track.stop();
    });
  }
}
