// `IMAGE serve`: a bundle behind SageMaker's HTTP, https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import sharp from 'sharp'
import type { RunningBundle } from '../../deploy/run-bundle.ts'
import { maskPicture, type PictureMask } from '../masks/mask-picture.ts'

/** What InvokeEndpoint lets through. */
const largestBody = 25 * 2 ** 20
const pictureTypes = ['image/jpeg', 'image/jpg', 'image/png']

/** An answer that is no picture: its status and a sentence. */
class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** A server, not yet listening. `bundle` gives nothing until the model is loaded. */
export const serveBundle = (bundle: () => RunningBundle | undefined): Server => createServer(answer(bundle))

function answer(bundle: () => RunningBundle | undefined): RequestListener {
  return (request, response) => {
    respond(bundle(), request, response).catch((error: unknown) => {
      const status = error instanceof Refusal ? error.status : 500
      if (status === 500) console.error(error)
      // What is left of a body that is too large is not read.
      if (status === 413) response.setHeader('connection', 'close')
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${(error as Error).message}\n`)
    })
  }
}

async function respond(bundle: RunningBundle | undefined, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.split('?')[0]
  if (path === '/ping') return void response.writeHead(bundle ? 200 : 503).end()
  if (path !== '/invocations') throw new Refusal(404, `Expected /ping or /invocations, found ${path}`)
  if (request.method !== 'POST') throw new Refusal(405, `Expected POST, found ${request.method}`)
  if (!bundle) throw new Refusal(503, 'The model is still being loaded; ask again in a few seconds')
  const type = contentType(request.headers['content-type'])
  if (!pictureTypes.includes(type))
    throw new Refusal(415, `Expected a picture as image/jpeg or image/png, found content type ${type || 'none'}`)
  const wanted = acceptable(request.headers.accept)
  const body = await readBody(request)
  const mask = await maskPicture(bundle, body).catch((error: Error) => {
    throw new Refusal(400, error.message)
  })
  const content = wanted === 'application/json' ? JSON.stringify(facts(bundle, mask)) : await png(mask)
  response.writeHead(200, { 'content-type': wanted }).end(content)
}

const contentType = (header = '') => header.split(';')[0]!.trim().toLowerCase()

function acceptable(header = '*/*'): 'image/png' | 'application/json' {
  const types = header.split(',').map(contentType)
  if (types.some((type) => ['*/*', 'image/*', 'image/png'].includes(type))) return 'image/png'
  if (types.includes('application/json')) return 'application/json'
  throw new Refusal(406, `Expected to be asked for image/png (the mask) or application/json (its facts), found ${header}`)
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of request) {
    length += (piece as Buffer).length
    if (length > largestBody) throw new Refusal(413, `Expected a picture of ${largestBody} bytes at most, found more`)
    pieces.push(piece as Buffer)
  }
  return Buffer.concat(pieces)
}

/** Class ids as greyscale, as the built-in algorithm answers. */
const png = ({ ids, width, height }: PictureMask) =>
  sharp(ids, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png({ compressionLevel: 3 })
    .toBuffer()

const facts = ({ manifest }: RunningBundle, { width, height, shares, confidence }: PictureMask) => ({
  model: manifest.name,
  width,
  height,
  road_percent: percent(shares[manifest.road]!),
  confidence: Number(confidence.toFixed(3)),
  classes: Object.fromEntries(manifest.classes.map(({ name }, id) => [name, percent(shares[id]!)])),
})

const percent = (share: number) => Number((100 * share).toFixed(2))
