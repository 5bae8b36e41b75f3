// npm run deploy -- WHAT: models and images from a workstation to devices. Each command is a file of deploy/ship/.
const commands: Record<string, () => Promise<(args: string[]) => Promise<void>>> = {
  keys: async () => (await import('./ship/keys.ts')).keys,
  trust: async () => (await import('./ship/trust.ts')).trust,
  sign: async () => (await import('./ship/sign.ts')).sign,
  push: async () => (await import('./ship/push.ts')).push,
  publish: async () => (await import('./ship/publish.ts')).publish,
  offer: async () => (await import('./ship/offer.ts')).offer,
  rollout: async () => (await import('./ship/rollout.ts')).rollout,
  status: async () => (await import('./ship/status.ts')).status,
  flash: async () => (await import('./flash/flash.ts')).flash,
}

const help = `npm run deploy -- WHAT [options]: models over the air, from a workstation to one device or a fleet.

  keys      makes the pair of keys that signs, once
  trust     lists, adds and revokes the public keys that devices trust, in the file that their "update.keys" names
  sign      makes a bundle, or an image of the agent, a release: nothing else is taken by a device
  push      sends a signed bundle to one device over HTTPS
  publish   puts a signed bundle into a web server's folder or S3, where devices fetch it
  offer     tells a device, a group or the fleet over MQTT to take a release, or a device to go back
  rollout   offers it to a fleet by waves, waits for each, and halts where too many devices fail
  status    shows every device: what it runs, and what becomes of what it was offered
  flash     sets a stock Jetson up by ssh, from its container runtime to an agent that was shown to work

From nothing to a device that runs a new model:

  npm run deploy -- keys --out signing                      # signing.key stays here, secret; signing.pub may be seen by all
  npm run deploy -- trust trusted-keys.json --add signing.pub --days 730
  npm run deploy -- sign runs/…/bundle --key signing.key --agent '>=0.1.0'
  npm run deploy -- push runs/…/bundle --to https://jetson01:8080 --token-file token --wait

and to many, from a web server:

  npm run deploy -- publish runs/…/bundle --to /var/www/models
  npm run deploy -- offer runs/…/bundle --url https://www.example.com/models/ID/ --broker mqtts://broker:8883 --device car01
  npm run deploy -- rollout runs/…/bundle --url https://www.example.com/models/ID/ --broker mqtts://broker:8883 --group vehicles
  npm run deploy -- status --broker mqtts://broker:8883 --watch

npm run deploy -- WHAT --help has the options of each; deploy/README.md, "Models over the air", explains it all.`

const [what = '', ...args] = process.argv.slice(2)
const command = commands[what]
if (what === '--help' || what === '-h') console.log(help)
else if (!command) {
  console.error(`Expected ${Object.keys(commands).join(', ')}, found ${what || 'nothing'}\n\n${help}`)
  process.exitCode = 1
} else
  command()
    .then((run) => run(args))
    .catch((error: Error) => {
      console.error(error.message)
      process.exitCode = 1
    })
