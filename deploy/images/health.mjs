// The images' health check: asks the agent in this container whether it lives, over http or https, on ROADMASK_HTTP_PORT or 8080.
import { get as http } from 'node:http'
import { get as https } from 'node:https'

const port = process.env.ROADMASK_HTTP_PORT || 8080
const alive = (get, scheme) =>
  new Promise((resolve) => {
    // Its certificate names the device, not the loopback address that it is asked at.
    const request = get(`${scheme}://127.0.0.1:${port}/healthz`, { timeout: 4000, rejectUnauthorized: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.on('timeout', () => request.destroy()).on('error', () => resolve(false))
  })

process.exit((await alive(http, 'http')) || (await alive(https, 'https')) ? 0 : 1)
