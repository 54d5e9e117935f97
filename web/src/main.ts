// The viewer's page, and window.zero1toa for those who want to steer it from a script (docs/viewer.md).
import { NAMES, type Weights } from './core/arkit';
import { App } from './app';
import { byId, toast } from './ui/dom';
import type { Look } from './stage/stage';

function publish(app: App): object {
  return {
    names: NAMES,
    get loaded() {
      return app.stage.avatar !== null;
    },
    setExpression: (weights: Weights) => app.setExpression(weights),
    setHeadTurn: (yaw: number, pitch: number, roll: number) => {
      app.player.setTurn({ yaw, pitch, roll });
      app.request();
    },
    setCamera: (yaw: number, pitch: number, zoom = 1) => {
      app.stage.view.go(yaw, pitch, zoom, false);
      app.request();
    },
    setLook: (look: Look) => app.setLook(look),
    setBackground: (color: string | null) => app.stage.setBackground(color),
    motions: () => app.timeline.names,
    play: (name: string) => app.timeline.choose(name),
    pause: () => {
      app.player.playing = false;
      app.player.touch();
      app.request();
    },
    seek: (seconds: number) => {
      app.player.seek(seconds);
      app.request();
    },
    weights: () => Object.fromEntries(NAMES.map((name, i) => [name, app.player.weights[i]])),
    time: () => app.player.time,
    /** A finished picture as a PNG's data URL. */
    capture: async (width?: number, height?: number) => {
      app.stage.settlePose(app.player);
      const blob = await app.stage.capture(width && height ? { width, height } : undefined);
      return new Promise<string>((resolve) => {
        const reader = new FileReader();
        reader.addEventListener('load', () => resolve(reader.result as string));
        reader.readAsDataURL(blob);
      });
    },
    measure: (poses: number, draws = 0) => app.stage.measure(poses, draws),
    statistics: () => ({
      loadSeconds: app.loadSeconds,
      splats: app.stage.avatar?.splats.count ?? 0,
      activeSplats: app.stage.activeSplats,
      frameMilliseconds: [...app.statistics.work],
      triangles: app.stage.rig?.triangles ?? 0,
    }),
  };
}

try {
  const app = new App(byId<HTMLCanvasElement>('canvas'));
  Object.assign(globalThis, { zero1toa: publish(app) });
  void app.start();
} catch (error) {
  document.body.dataset.state = 'empty';
  const reason = /WebGL/i.test(String(error)) ? 'This browser gives no WebGL 2, which the viewer needs. Try another browser, or switch on hardware acceleration.' : `The viewer could not start: ${String(error)}`;
  toast(reason, 'error');
}
