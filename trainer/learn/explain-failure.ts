// What stopped a run, for a person: what went wrong, what is kept, and what to do.

const diskFull = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** The words for an error that ended training; of one that says enough itself, its own. */
export function explainFailure(error: Error): string {
  const { code, path } = error as NodeJS.ErrnoException
  const goOn = 'Every epoch that was done is kept: --resume goes on after the last.'
  if (code && diskFull.has(code)) return `No room to write ${path ?? "the run's files"} (${code}). Free some space. ${goOn}`
  // TensorFlow's ResourceExhaustedError, by its words: tfjs-node passes on no code.
  if (/OOM when allocating|failed to allocate memory|ResourceExhausted|std::bad_alloc/i.test(error.message))
    return `Out of memory. Use a smaller --batch, --input or --width in a new run. ${goOn}\n${error.message.split('\n')[0]}`
  return error.message
}
