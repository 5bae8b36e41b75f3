// Pictures that look alike, by the difference hash (dHash, Krawetz 2013): of 9 x 8 grey fields, whether each is darker than the
// next. Brightness, contrast, size and JPEG hardly change it; another view does.

/** Rows of fields, and fields a row. */
export const hashGrid = { width: 9, height: 8 } as const

/** 64 bits as eight bytes, from the grey levels of the fields. */
export function differenceHash(fields: Uint8Array): Uint8Array {
  const hash = new Uint8Array(hashGrid.height)
  for (let row = 0; row < hashGrid.height; row++)
    for (let bit = 0; bit < 8; bit++) {
      const at = row * hashGrid.width + bit
      if (fields[at]! < fields[at + 1]!) hash[row]! |= 1 << bit
    }
  return hash
}

const bitsOf = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length)

/** In how many bits two hashes differ, 0 to 64. */
export function hashDistance(a: Uint8Array, b: Uint8Array): number {
  let bits = 0
  for (let i = 0; i < a.length; i++) bits += bitsOf[a[i]! ^ b[i]!]!
  return bits
}
