// A GLB of one buffer: its JSON and its accessors. What is wrong with a file is a sentence for the user.

/** A file that cannot be used; the message is a sentence. */
export class BadFile extends Error {}

export type NumberArray = Float32Array | Uint32Array | Uint16Array | Int16Array | Uint8Array | Int8Array;

interface BufferView {
  byteOffset?: number;
  byteLength: number;
  byteStride?: number;
}

interface SparseStore {
  bufferView: number;
  byteOffset?: number;
  componentType?: number;
}

interface Accessor {
  bufferView?: number;
  byteOffset?: number;
  componentType: number;
  normalized?: boolean;
  count: number;
  type: string;
  sparse?: { count: number; indices: SparseStore; values: SparseStore };
}

export interface Primitive {
  attributes: Record<string, number>;
  indices?: number;
  targets?: Record<string, number>[];
  extensions?: Record<string, unknown>;
}

export interface GltfDocument {
  accessors?: Accessor[];
  bufferViews?: BufferView[];
  meshes?: { primitives: Primitive[]; extras?: Record<string, unknown> }[];
  skins?: { joints: number[]; inverseBindMatrices?: number }[];
  extras?: Record<string, unknown>;
}

/** Rows of numbers; in a sparse one only the rows in `rows` are stored, all others are zero. */
export interface Rows {
  values: NumberArray;
  width: number;
  count: number;
  rows: Uint32Array | null;
}

const MAGIC = 0x46546c67; // "glTF"
const JSON_CHUNK = 0x4e4f534a;
const BINARY_CHUNK = 0x004e4942;
const HEADER = 12;
const CHUNK_HEADER = 8;

const WIDTHS: Record<string, number> = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT4: 16 };
const ARRAYS = {
  5120: Int8Array,
  5121: Uint8Array,
  5122: Int16Array,
  5123: Uint16Array,
  5125: Uint32Array,
  5126: Float32Array,
} as const;
type ArrayType = (typeof ARRAYS)[keyof typeof ARRAYS];

const DAMAGED = 'The file is damaged';

export class Glb {
  private constructor(
    readonly document: GltfDocument,
    private readonly binary: Uint8Array,
  ) {}

  /** Reads the frame of the file. Throws BadFile. */
  static parse(buffer: ArrayBuffer): Glb {
    const view = new DataView(buffer);
    if (buffer.byteLength < HEADER + CHUNK_HEADER || view.getUint32(0, true) !== MAGIC)
      throw new BadFile('This is no GLB file. Open an avatar that zero1toa made.');
    if (view.getUint32(8, true) !== buffer.byteLength)
      throw new BadFile(`${DAMAGED}: it is not as long as it says. It may not have been copied in full.`);
    let at = HEADER;
    let text: Uint8Array | null = null;
    let binary = new Uint8Array(0);
    while (at + CHUNK_HEADER <= buffer.byteLength) {
      const length = view.getUint32(at, true);
      const kind = view.getUint32(at + 4, true);
      at += CHUNK_HEADER;
      if (at + length > buffer.byteLength) throw new BadFile(`${DAMAGED}: a part of it is cut off.`);
      if (kind === JSON_CHUNK && text === null) text = new Uint8Array(buffer, at, length);
      if (kind === BINARY_CHUNK) binary = new Uint8Array(buffer, at, length);
      at += length;
    }
    let document: unknown;
    try {
      document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text ?? new Uint8Array(0)));
    } catch {
      document = null;
    }
    if (typeof document !== 'object' || document === null)
      throw new BadFile(`${DAMAGED}: its description cannot be read.`);
    return new Glb(document as GltfDocument, binary);
  }

  /** An accessor as it is stored, checked to lie inside the file. Throws BadFile. */
  rows(index: number | undefined): Rows {
    const accessor = index === undefined ? undefined : this.document.accessors?.[index];
    const width = WIDTHS[accessor?.type ?? ''];
    if (!accessor || !width || !isCount(accessor.count)) throw new BadFile(`${DAMAGED}: data that it needs are missing.`);
    const { count, sparse } = accessor;
    if (accessor.bufferView !== undefined) {
      const values = this.values(accessor.bufferView, accessor.byteOffset, accessor.componentType, count, width);
      if (!sparse) return { values, width, count, rows: null };
      throw new BadFile(`${DAMAGED}: a sparse part has a base, which no avatar has.`);
    }
    if (!sparse) return { values: new Float32Array(0), width, count, rows: new Uint32Array(0) };
    if (!isCount(sparse.count)) throw new BadFile(`${DAMAGED}: a sparse part has no length.`);
    const stored = this.values(
      sparse.indices.bufferView, sparse.indices.byteOffset, sparse.indices.componentType ?? 0, sparse.count, 1,
    );
    const rows = Uint32Array.from(stored);
    if (rows.some((row) => row >= count)) throw new BadFile(`${DAMAGED}: a sparse part points outside.`);
    const values = this.values(
      sparse.values.bufferView, sparse.values.byteOffset, accessor.componentType, sparse.count, width,
    );
    return { values, width, count, rows };
  }

  /** An accessor as floats, one row after the other, of the width expected; normalized integers become [0, 1]. */
  floats(index: number | undefined, width: number, count?: number): Float32Array {
    const { values, width: found, count: rows, rows: sparse } = this.rows(index);
    if (found !== width || (count !== undefined && rows !== count))
      throw new BadFile(`${DAMAGED}: a part does not have the expected size.`);
    const factor = this.document.accessors![index!]!.normalized ? 1 / largest(values) : 1;
    const result = new Float32Array(rows * width);
    if (sparse) {
      for (let i = 0; i < sparse.length; i++)
        for (let c = 0; c < width; c++) result[sparse[i]! * width + c] = values[i * width + c]! * factor;
    } else {
      for (let i = 0; i < result.length; i++) result[i] = values[i]! * factor;
    }
    for (const value of result) if (!Number.isFinite(value)) throw new BadFile(`${DAMAGED}: it holds no number.`);
    return result;
  }

  /** An accessor of whole numbers in [0, below). */
  whole(index: number | undefined, below: number, count?: number): Uint32Array {
    const numbers = this.floatsOrIntegers(index, count);
    const result = new Uint32Array(numbers.length);
    for (let i = 0; i < numbers.length; i++) {
      const value = numbers[i]!;
      if (!(value >= 0 && value < below && Number.isInteger(value)))
        throw new BadFile(`${DAMAGED}: an index points outside its range.`);
      result[i] = value;
    }
    return result;
  }

  private floatsOrIntegers(index: number | undefined, count?: number): NumberArray {
    const { values, rows, count: found } = this.rows(index);
    if (rows || (count !== undefined && found !== count))
      throw new BadFile(`${DAMAGED}: a part does not have the expected size.`);
    return values;
  }

  private values(
    viewIndex: number, offset: number | undefined, componentType: number, count: number, width: number,
  ): NumberArray {
    const view = this.document.bufferViews?.[viewIndex];
    const type = ARRAYS[componentType as keyof typeof ARRAYS] as ArrayType | undefined;
    if (!view || !type) throw new BadFile(`${DAMAGED}: data that it needs are missing.`);
    const size = type.BYTES_PER_ELEMENT;
    const stride = view.byteStride ?? width * size;
    const start = (view.byteOffset ?? 0) + (offset ?? 0);
    const end = start + (count > 0 ? (count - 1) * stride + width * size : 0);
    if (!(start >= 0 && stride >= width * size && end <= this.binary.length))
      throw new BadFile(`${DAMAGED}: a part of it lies beyond its end.`);
    const result = new type(count * width);
    const bytes = new Uint8Array(result.buffer);
    const row = width * size;
    if (stride === row) bytes.set(this.binary.subarray(start, start + count * row));
    else
      for (let i = 0; i < count; i++)
        bytes.set(this.binary.subarray(start + i * stride, start + i * stride + row), i * row);
    return result;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 1 << 24;
}

function largest(values: NumberArray): number {
  if (values instanceof Uint8Array) return 0xff;
  if (values instanceof Uint16Array) return 0xffff;
  if (values instanceof Int8Array) return 0x7f;
  if (values instanceof Int16Array) return 0x7fff;
  return 1;
}
