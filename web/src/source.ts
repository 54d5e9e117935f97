// Where the avatar and the built-in motions come from: inside the page (a single file), or from the small server.
import { fromBase64, type Motion, type PackedMotion, unpack } from './core/motion';
import type { TrackerFiles } from './webcam';

/** What zero1toa.viewer puts into data.json, or into the page itself. */
interface Data {
  name: string;
  avatar: string | null; // an address, or base64 of the gzipped file where `inline` is true
  inline?: boolean;
  motions: PackedMotion[];
  tracker?: TrackerFiles | null;
}

export interface Source {
  name: string;
  avatar: (() => Promise<ArrayBuffer>) | null;
  motions: Motion[];
  tracker: TrackerFiles | null;
  standalone: boolean;
}

export async function findSource(): Promise<Source> {
  const holder = document.getElementById('data');
  let data: Data | null = null;
  if (holder?.textContent) data = JSON.parse(holder.textContent) as Data;
  else {
    const answer = await fetch('data.json').catch(() => null);
    if (answer?.ok) data = (await answer.json()) as Data;
  }
  if (!data) return { name: '', avatar: null, motions: [], tracker: null, standalone: false };
  const { name, avatar, inline = false } = data;
  return {
    name,
    avatar: avatar === null ? null : () => (inline ? inflate(fromBase64(avatar)) : get(avatar)),
    motions: data.motions.map(unpack),
    tracker: data.tracker ? absolute(data.tracker) : null,
    standalone: holder !== null,
  };
}

/** An import needs a whole address. */
function absolute(files: TrackerFiles): TrackerFiles {
  const entries = Object.entries(files).map(([role, address]) => [role, new URL(address as string, location.href).href]);
  return Object.fromEntries(entries) as unknown as TrackerFiles;
}

/** The licences of what is built in. */
export async function licences(): Promise<string> {
  const holder = document.getElementById('licences');
  if (holder?.textContent) return holder.textContent.trim();
  const answer = await fetch('licences.txt').catch(() => null);
  return answer?.ok ? answer.text() : 'The licence texts are not at hand.';
}

async function get(address: string): Promise<ArrayBuffer> {
  const answer = await fetch(address).catch(() => null);
  if (!answer?.ok) throw new Error('The avatar could not be fetched. Is "zero1toa view" still running?');
  return answer.arrayBuffer();
}

async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).arrayBuffer();
}
