// The 52 ARKit names in the order of zero1toa.heads.arkit, and how they are shown: by region, in plain words.

export const NAMES = [
  'eyeBlinkLeft', 'eyeLookDownLeft', 'eyeLookInLeft', 'eyeLookOutLeft', 'eyeLookUpLeft', 'eyeSquintLeft', 'eyeWideLeft',
  'eyeBlinkRight', 'eyeLookDownRight', 'eyeLookInRight', 'eyeLookOutRight', 'eyeLookUpRight', 'eyeSquintRight',
  'eyeWideRight',
  'jawForward', 'jawRight', 'jawLeft', 'jawOpen',
  'mouthClose', 'mouthFunnel', 'mouthPucker', 'mouthRight', 'mouthLeft', 'mouthSmileLeft', 'mouthSmileRight',
  'mouthFrownLeft', 'mouthFrownRight', 'mouthDimpleLeft', 'mouthDimpleRight', 'mouthStretchLeft', 'mouthStretchRight',
  'mouthRollLower', 'mouthRollUpper', 'mouthShrugLower', 'mouthShrugUpper', 'mouthPressLeft', 'mouthPressRight',
  'mouthLowerDownLeft', 'mouthLowerDownRight', 'mouthUpperUpLeft', 'mouthUpperUpRight',
  'browDownLeft', 'browDownRight', 'browInnerUp', 'browOuterUpLeft', 'browOuterUpRight',
  'cheekPuff', 'cheekSquintLeft', 'cheekSquintRight', 'noseSneerLeft', 'noseSneerRight', 'tongueOut',
] as const; // prettier-ignore

export const COUNT = NAMES.length;

export const INDEX: ReadonlyMap<string, number> = new Map(NAMES.map((name, index) => [name as string, index]));

/** Index of an ARKit name that is known to exist. */
export function at(name: string): number {
  const index = INDEX.get(name);
  if (index === undefined) throw new Error(`no ARKit shape '${name}'`);
  return index;
}

/** Regions in the order of the panel, with the start of the names that belong to each. */
export const REGIONS: readonly { id: string; title: string; prefixes: readonly string[] }[] = [
  { id: 'eyes', title: 'Eyes', prefixes: ['eyeBlink', 'eyeWide', 'eyeSquint'] },
  { id: 'gaze', title: 'Gaze', prefixes: ['eyeLook'] },
  { id: 'brows', title: 'Brows', prefixes: ['brow'] },
  { id: 'jaw', title: 'Jaw', prefixes: ['jaw'] },
  { id: 'mouth', title: 'Mouth', prefixes: ['mouth'] },
  { id: 'cheeks', title: 'Cheeks, nose and tongue', prefixes: ['cheek', 'nose', 'tongue'] },
];

/** The names of a region; the two sides of a movement follow each other, left first. */
export function namesOf(prefixes: readonly string[]): string[] {
  const names = NAMES.filter((name) => prefixes.some((prefix) => name.startsWith(prefix)));
  return names.flatMap((name: string) => {
    const other = mirrored(name);
    if (other === name) return [name];
    return name.endsWith('Left') ? [name, other] : [];
  });
}

/** "mouthSmileLeft" as "Smile left" within its region, or "Mouth smile left" in full. */
export function label(name: string, full = false): string {
  const words = name.replace(/([A-Z])/g, ' $1').toLowerCase().split(' ');
  const region = words[0]!;
  if (!full && words.length > 1 && ['eye', 'mouth', 'brow', 'jaw', 'cheek', 'nose'].includes(region)) {
    const keep = region === 'cheek' || region === 'nose';
    if (!keep) words.shift();
  }
  const text = words.join(' ');
  return text[0]!.toUpperCase() + text.slice(1);
}

/** The same movement on the other side, or the name itself. */
export function mirrored(name: string): string {
  if (name.endsWith('Left')) return `${name.slice(0, -4)}Right`;
  if (name.endsWith('Right')) return `${name.slice(0, -5)}Left`;
  return name;
}

export type Weights = Readonly<Record<string, number>>;

const both = (name: string, value: number): Record<string, number> => ({ [`${name}Left`]: value, [`${name}Right`]: value });

/** Expressions with one press. Tuned by eye on the demo avatar. */
export const PRESETS: readonly { id: string; title: string; weights: Weights }[] = [
  { id: 'neutral', title: 'Neutral', weights: {} },
  {
    id: 'smile', title: 'Smile',
    weights: { ...both('mouthSmile', 0.75), ...both('cheekSquint', 0.5), ...both('eyeSquint', 0.3), ...both('mouthDimple', 0.15) },
  },
  {
    id: 'laugh', title: 'Laugh',
    weights: {
      ...both('mouthSmile', 0.85), ...both('cheekSquint', 0.7), ...both('eyeSquint', 0.5), jawOpen: 0.35,
      ...both('mouthUpperUp', 0.25), ...both('browOuterUp', 0.2),
    },
  },
  {
    id: 'surprise', title: 'Surprise',
    weights: { browInnerUp: 0.8, ...both('browOuterUp', 0.8), ...both('eyeWide', 0.7), jawOpen: 0.45, mouthFunnel: 0.15 },
  },
  {
    id: 'talk', title: 'Talk',
    weights: { jawOpen: 0.28, mouthFunnel: 0.2, ...both('mouthLowerDown', 0.35), ...both('mouthUpperUp', 0.2) },
  },
  { id: 'kiss', title: 'Kiss', weights: { mouthPucker: 0.85, ...both('eyeSquint', 0.2) } },
  {
    id: 'sad', title: 'Sad',
    weights: { ...both('mouthFrown', 0.65), browInnerUp: 0.7, mouthShrugLower: 0.3, ...both('eyeSquint', 0.15) },
  },
  {
    id: 'angry', title: 'Angry',
    weights: { ...both('browDown', 0.85), ...both('noseSneer', 0.4), ...both('mouthPress', 0.4), ...both('eyeSquint', 0.4) },
  },
  { id: 'wink', title: 'Wink', weights: { eyeBlinkRight: 1, mouthSmileRight: 0.5, mouthSmileLeft: 0.3, cheekSquintRight: 0.5 } },
  { id: 'tongue', title: 'Tongue', weights: { tongueOut: 0.9, jawOpen: 0.35, ...both('mouthSmile', 0.2) } },
];

/** 52 numbers in the order of NAMES. */
export function toArray(weights: Weights): Float32Array {
  const result = new Float32Array(COUNT);
  for (const [name, value] of Object.entries(weights)) result[at(name)] = value;
  return result;
}
