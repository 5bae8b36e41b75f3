// Names of training and labelling jobs.

/** The name asked for, else `prefix` with the time. Throws where SageMaker would not take it. */
export function jobName(asked: string | undefined, prefix: string): string {
  const name = asked ?? `${prefix}-${new Date().toISOString().slice(0, 19).replaceAll(/\D/g, '-')}`
  if (!/^[a-z0-9](-*[a-z0-9]){0,62}$/i.test(name))
    throw new Error(`--job: expected letters, digits and - between them, 63 at most, found ${name}`)
  return name
}
