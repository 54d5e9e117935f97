// Rotations on plain arrays. Quaternions are xyzw, as in glTF; matrices are rows of three.

export type Vector = readonly [number, number, number];
export type Matrix = readonly [number, number, number, number, number, number, number, number, number];

/** Below this square of the angle, rad^2, sine and cosine come from their Taylor series. */
const SMALL = 1e-4;

/** The matrix of a rotation vector in radians (Rodrigues). */
export function rotationMatrix([x, y, z]: Vector): Matrix {
  const square = x * x + y * y + z * z;
  const angle = Math.sqrt(square);
  const first = square < SMALL ? 1 - square / 6 + (square * square) / 120 : Math.sin(angle) / angle;
  const second = square < SMALL ? 0.5 - square / 24 + (square * square) / 720 : (1 - Math.cos(angle)) / square;
  return [
    1 - second * (y * y + z * z), second * x * y - first * z, second * x * z + first * y,
    second * x * y + first * z, 1 - second * (x * x + z * z), second * y * z - first * x,
    second * x * z - first * y, second * y * z + first * x, 1 - second * (x * x + y * y),
  ];
}

export function multiply(a: Matrix, b: Matrix): Matrix {
  const result = new Array<number>(9);
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++)
      result[3 * i + j] = a[3 * i]! * b[j]! + a[3 * i + 1]! * b[3 + j]! + a[3 * i + 2]! * b[6 + j]!;
  return result as unknown as Matrix;
}

export function apply(m: Matrix, [x, y, z]: Vector): [number, number, number] {
  return [m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z];
}

/** x such that m x = b, by Cramer's rule. */
export function solve(m: Matrix, b: Vector): [number, number, number] {
  const [a, d, g, e, h, k, f, l, n] = [m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8]];
  const minors = [h * n - k * l, k * f - e * n, e * l - h * f] as const;
  const determinant = a * minors[0] + d * minors[1] + g * minors[2];
  const [x, y, z] = b;
  return [
    (x * minors[0] + d * (k * z - y * n) + g * (y * l - h * z)) / determinant,
    (a * (y * n - k * z) + x * minors[1] + g * (e * z - y * f)) / determinant,
    (a * (h * z - y * l) + d * (y * f - e * z) + x * minors[2]) / determinant,
  ];
}
