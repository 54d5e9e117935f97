// Bundles the unit tests and runs them with node's own runner: node 20 does not read TypeScript.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const folder = mkdtempSync(join(import.meta.dirname, '.tests-'));
try {
  const entryPoints = readdirSync(join(import.meta.dirname, 'tests')).filter((name) => name.endsWith('.test.ts'));
  await build({
    entryPoints: entryPoints.map((name) => join(import.meta.dirname, 'tests', name)),
    bundle: true,
    platform: 'node',
    format: 'esm',
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  const files = readdirSync(folder).map((name) => join(folder, name));
  const options = { cwd: import.meta.dirname, stdio: 'inherit' };
  process.exitCode = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...files], options).status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}
