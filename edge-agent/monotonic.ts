// The clock that nobody sets, which all processes of a machine share (process.hrtime): for durations, also between them.

export const monotonicMicros = () => Number(process.hrtime.bigint() / 1000n)

/** Microseconds as milliseconds with two digits, as messages tell durations. */
export const toMs = (micros: number) => Math.round(micros / 10) / 100
