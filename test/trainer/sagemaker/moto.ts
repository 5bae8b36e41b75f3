// AWS on this machine, as moto plays it (https://docs.getmoto.org), and AWS's own service model, from botocore.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { python } from '../../python.ts'

/** Whether moto is there: tests with it are skipped where the system's Python does not fit. */
export const hasMoto = existsSync(join(python, '../moto_server'))
if (!hasMoto) console.warn(`skipped: no moto beside ${python}; npm test sets it up where the system's Python fits`)

/** What programs and clients need to find it. */
export interface Moto {
  env: Record<string, string>
  stop(): void
}

/** Starts moto on a free port. Throws what it said where it ends instead. */
export async function startMoto(): Promise<Moto> {
  // Not by its script, which names the folder that the environment was made in.
  const child = spawn(python, ['-m', 'moto.server', '-p', '0'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  const ended = once(child, 'close').then(() => {
    throw new Error(`Expected moto to listen, but it ended: ${said}`)
  })
  ended.catch(() => {})
  for (;;) {
    const [data] = (await Promise.race([once(child.stderr, 'data'), ended])) as [Buffer]
    said += data
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0]
    if (!url) continue
    child.stderr.resume()
    return {
      env: {
        AWS_ENDPOINT_URL: url,
        AWS_REGION: 'eu-west-1',
        AWS_ACCESS_KEY_ID: 'of-moto',
        AWS_SECRET_ACCESS_KEY: 'of-moto',
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      },
      stop: () => child.kill(),
    }
  }
}

const validator = `
import json, re, sys
import botocore.session, botocore.validate
shape = botocore.session.get_session().get_service_model("sagemaker").operation_model(sys.argv[1]).input_shape
request = json.load(sys.stdin)
faults = botocore.validate.ParamValidator().validate(request, shape).generate_report().splitlines()
def walk(shape, value, path):
    if shape.type_name == "structure":
        for name, inner in value.items(): walk(shape.members[name], inner, path + "." + name)
    elif shape.type_name == "list":
        for at, inner in enumerate(value): walk(shape.member, inner, f"{path}[{at}]")
    elif shape.type_name == "map":
        for name, inner in value.items(): walk(shape.value, inner, path + "." + name)
    elif shape.type_name == "string":
        pattern, most = shape.metadata.get("pattern"), shape.metadata.get("max")
        if shape.enum and value not in shape.enum: faults.append(f"{path}: {value} is none of its values")
        if pattern and not re.fullmatch(pattern, value): faults.append(f"{path}: {value} is not {pattern}")
        if most and len(value) > most: faults.append(f"{path}: longer than {most}")
if not faults: walk(shape, request, sys.argv[1])
print(json.dumps(faults))
`

/** What AWS's service model finds wrong with a request: types, needed members, lengths, patterns and listed values. */
export async function faultsOf(operation: string, request: unknown): Promise<string[]> {
  const child = spawn(python, ['-c', validator, operation], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(request))
  let out = ''
  child.stdout.on('data', (data) => {
    out += data
  })
  await once(child, 'close')
  return JSON.parse(out)
}
