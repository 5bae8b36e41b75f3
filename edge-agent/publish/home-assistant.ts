// Home Assistant's MQTT discovery in its device form (2024.11 and later): each camera is a device with its entities.
// https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
// Home Assistant forgets an entity when its component is sent with its platform alone, and a device with an empty payload.
import { isDeepStrictEqual } from 'node:util'
import type { Log } from '../log.ts'
import type { CameraConfig, Config } from '../settings/config.ts'
import { keep, type State } from '../state.ts'
import { version } from '../version.ts'
import { topics } from '../wire.ts'
import type { Link } from './mqtt-link.ts'

type Component = { platform: string } & Record<string, unknown>

interface Discovery {
  topic: string
  components: Record<string, Component>
  payload: Record<string, unknown>
}

/** By component. */
type Platforms = Record<string, string>

/**
 * Tells Home Assistant of the cameras there are, and takes back those it was told of that are no more, in this run or the last.
 * To be called when a connection stands.
 */
export function makeAnnouncer(state: State, log: Log, link: Pick<Link, 'send' | 'complain'>): (config: Config) => void {
  const announced = state.read<Record<string, Platforms>>('home-assistant') ?? {} // by topic

  function remember(topic: string, platforms: Platforms | undefined) {
    if (isDeepStrictEqual(announced[topic], platforms)) return
    if (platforms) announced[topic] = platforms
    else delete announced[topic]
    keep(state, 'home-assistant', announced, log)
  }

  function tell(topic: string, payload: string, platforms: Platforms | undefined) {
    const contentType = payload ? 'application/json' : 'text/plain'
    link.send({ topic, payload, qos: 1, retain: true, contentType }, (refusal) => {
      if (refusal) link.complain(`The broker refuses messages on ${topic}: ${refusal.reason}`)
      else remember(topic, platforms)
    })
  }

  return (config) => {
    const wanted = config.mqtt.home_assistant ? discoveries(config) : []
    for (const topic of Object.keys(announced)) if (!wanted.some((one) => one.topic === topic)) tell(topic, '', undefined)
    for (const one of wanted) {
      const { topic, components } = one
      const platforms = Object.fromEntries(Object.entries(components).map(([name, { platform }]) => [name, platform]))
      const before = announced[topic]
      remember(topic, { ...before, ...platforms }) // first: a crash must not leave announced what the next run knows nothing of
      tell(topic, JSON.stringify(withRemovals(one, before)), platforms)
    }
  }
}

/** Home Assistant takes `[a-zA-Z0-9_-]` in ids; whatever else is told apart by its code points. */
export const idOf = (name: string) =>
  name.replace(/[^a-zA-Z0-9-]/gu, (one) => (one === '_' ? '__' : `_${one.codePointAt(0)!.toString(16)}_`))

const percent = { unit_of_measurement: '%', state_class: 'measurement', suggested_display_precision: 1 }

/** The messages that announce all cameras. */
export function discoveries({ device, mqtt, cameras }: Config): Discovery[] {
  return cameras.map((camera) => {
    const id = `roadmask_${idOf(device)}_${idOf(camera.name)}`
    const components = componentsOf(camera, id, device, mqtt)
    return {
      topic: `${mqtt.home_assistant}/device/${id}/config`,
      components,
      payload: {
        device: {
          identifiers: [id],
          name: `${device} ${camera.name}`,
          manufacturer: 'Roadmask',
          model: 'Road camera',
          sw_version: version,
        },
        origin: { name: 'roadmask', sw_version: version },
        components,
      },
    }
  })
}

/** A discovery that also takes back what was announced before and is no more. */
function withRemovals({ payload, components }: Discovery, before: Platforms = {}) {
  const gone = Object.entries(before).filter(([name]) => !(name in components))
  return {
    ...payload,
    components: { ...components, ...Object.fromEntries(gone.map(([name, platform]) => [name, { platform }])) },
  }
}

function componentsOf({ name, zones }: CameraConfig, id: string, device: string, mqtt: Config['mqtt']) {
  const topic = topics(mqtt.prefix, device)
  const to = topic.camera(name)
  const agent = { topic: topic.available }
  const online = { topic: to.status, value_template: "{{ 'online' if value_json.state == 'online' else 'offline' }}" }
  const live = { availability_mode: 'all', availability: [agent, online] }
  const always = { availability: [agent] }
  const components: Record<string, Component> = {}
  const add = (key: string, platform: string, title: string, more: Record<string, unknown>) => {
    components[key] = { platform, unique_id: `${id}_${key}`, name: title, ...more }
  }
  const ofResult = (template: string) => ({ ...live, state_topic: to.result, value_template: `{{ ${template} }}` })

  if (mqtt.results_per_second) {
    add('road', 'sensor', 'Road', { ...ofResult('value_json.road_percent'), ...percent, icon: 'mdi:road-variant' })
    const blocked = (which: string) => ({ ...ofResult(`'ON' if ${which} else 'OFF'`), device_class: 'problem' })
    if (zones.length) add('blocked', 'binary_sensor', 'Blocked', blocked('value_json.blocked'))
    zones.forEach((zone, i) => {
      const key = `zone_${idOf(zone.name)}`
      // Zones stand in the order of the config, but a mask made before a change of it has none.
      const has = 'value_json.zones is defined'
      add(key, 'sensor', `${zone.name} road`, {
        ...ofResult(`value_json.zones[${i}].road_percent if ${has} else None`),
        ...percent,
        icon: 'mdi:road-variant',
      })
      add(`${key}_blocked`, 'binary_sensor', `${zone.name} blocked`, blocked(`${has} and value_json.zones[${i}].blocked`))
    })
  }
  if (mqtt.masks_per_second) add('mask', 'image', 'Mask', { ...live, image_topic: to.mask, content_type: 'image/png' })
  if (mqtt.overlays_per_minute) add('overlay', 'camera', 'Overlay', { ...live, topic: to.overlay })
  add('enabled', 'switch', 'Enabled', {
    ...always,
    state_topic: to.enabled,
    command_topic: to.enabledSet,
    payload_on: 'ON',
    payload_off: 'OFF',
    icon: 'mdi:cctv',
  })
  const diagnostic = (key: string, title: string, field: string, more: Record<string, unknown>) =>
    add(key, 'sensor', title, {
      ...always,
      state_topic: topic.stats,
      // A camera that was just added is not in the stats yet.
      value_template: `{{ value_json.cameras.get(${JSON.stringify(name)}, {}).get('${field}') }}`,
      entity_category: 'diagnostic',
      ...more,
    })
  diagnostic('latency', 'Latency', 'latency_ms', {
    unit_of_measurement: 'ms',
    device_class: 'duration',
    state_class: 'measurement',
  })
  diagnostic('mask_rate', 'Masks a second', 'mask_fps', {
    unit_of_measurement: 'Hz',
    device_class: 'frequency',
    state_class: 'measurement',
  })
  diagnostic('restarts', 'Restarts', 'restarts', { state_class: 'total_increasing' })
  return components
}
