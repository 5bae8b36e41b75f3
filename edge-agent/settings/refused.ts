/** A change that is not made: why, and what to do, for a person. The status is HTTP's. */
export class Refused extends Error {
  readonly status: 403 | 404 | 409 | 412 | 422

  constructor(status: Refused['status'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}
