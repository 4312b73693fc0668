/** Zeros inside data become holes in units of this size. */
const holeBytes = 2 ** 16;
const zeros = Buffer.alloc(holeBytes);

/** The parts of `data` that are worth writing: all but its blocks of 64 KiB that hold nothing but zeros. */
export function* findData(data: Buffer): Generator<{ offset: number; bytes: Buffer }, void, undefined> {
  const isZero = (offset: number) => {
    const block = data.subarray(offset, offset + holeBytes);
    return zeros.compare(block, 0, block.length, 0, block.length) === 0;
  };
  for (let offset = 0; offset < data.length; ) {
    let end = offset;
    while (end < data.length && !isZero(end)) end += holeBytes;
    if (end > offset) yield { offset, bytes: data.subarray(offset, end) };
    offset = end + holeBytes;
  }
}
