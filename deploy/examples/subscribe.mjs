// Prints what the agents on a broker see: node subscribe.mjs [mqtt://HOST:PORT]   (npm install mqtt)
import mqtt from 'mqtt'

const newest = new Map() // of the events, by the outbox that they came from

// A session that the broker keeps, so that it holds events while this program is away.
const client = mqtt.connect(process.argv[2] ?? 'mqtt://127.0.0.1:1883', { clientId: 'roadmask-example-node', clean: false })
client.on('connect', () =>
  client.subscribe({ 'roadmask/+/+/result': { qos: 0 }, 'roadmask/+/+/mask': { qos: 0 }, 'roadmask/+/+/event': { qos: 1 } }),
)
client.on('error', ({ message }) => console.error(message))
client.on('message', (topic, payload) => {
  const [, device, camera, kind] = topic.split('/')
  const where = `${device} ${camera}`
  if (kind === 'mask') return console.log(`${where}: a mask of ${payload.length} bytes`) // PNG, white is road
  const message = JSON.parse(payload.toString())
  if (kind === 'result') return console.log(`${where}: ${message.road_percent} % road`)
  const outbox = message.id.split('-')[0]
  if (message.sequence <= (newest.get(outbox) ?? 0)) return // after an outage the last events may come twice
  newest.set(outbox, message.sequence)
  console.log(`${where}: event ${message.sequence} ${message.type} ${message.detail}`)
})
