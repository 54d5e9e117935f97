// Builds the viewer into a folder: node build.mjs [FOLDER], by default into the Python package. The same sources and
// lock file give the same bytes on every machine.
import { build } from 'esbuild';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const here = import.meta.dirname;
const target = resolve(process.argv[2] ?? join(here, '../src/zero1toa/viewer/static'));

/** Packages whose code ends up in the bundle. */
const BUNDLED = ['three', '@sparkjsdev/spark', 'fflate'];

const common = { bundle: true, minify: true, target: ['es2022'], charset: 'ascii', legalComments: 'none', write: false };
const script = await build({ ...common, entryPoints: [join(here, 'src/main.ts')], format: 'esm', metafile: true, logLevel: 'warning' });
const style = await build({ ...common, entryPoints: [join(here, 'src/style.css')] });

const foreign = new Set(
  Object.entries(Object.values(script.metafile.outputs)[0].inputs)
    .filter(([path, { bytesInOutput }]) => path.includes('node_modules/') && bytesInOutput > 0)
    .map(([path]) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)[1]),
);
const unknown = [...foreign].filter((name) => !BUNDLED.includes(name));
if (unknown.length) throw new Error(`bundled without its licence: ${unknown.join(', ')}`);

const licences = BUNDLED.map((name) => {
  const folder = join(here, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const text = readFileSync(join(folder, 'LICENSE'), 'utf8').replace(/\r/g, '').trim();
  return `${name} ${version} (${license})\n\n${text}\n`;
});

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const files = {
  'app.js': script.outputFiles[0].text,
  'style.css': style.outputFiles[0].text,
  'index.html': readFileSync(join(here, 'src/index.html'), 'utf8'),
  'licences.txt': `The viewer contains these libraries:\n\n${licences.join(`\n${'-'.repeat(72)}\n\n`)}`,
};
for (const [name, text] of Object.entries(files)) {
  writeFileSync(join(target, name), text);
  console.log(`${name} ${(text.length / 1e3).toFixed(1)} kB`);
}
