// Whether this browser may see the agent, and how it gets to: the sign-in form, and the button that signs out. Where the
// agent is open to everyone on its machine nothing of it shows.
import { addressOf } from './ui/api.ts'

export interface Person {
  name: string
  role: 'viewer' | 'operator'
  /** To be sent along with whatever changes something; only sessions have it. */
  proof?: string
}

export interface Session {
  /** Shows the form where the agent answers but wants to know who asks. */
  check(): Promise<void>
  /** Undefined while it is not known who is in, or nobody is. */
  who(): Person | undefined
  /** Whether the form is up. */
  shut(): boolean
}

export interface SessionParts {
  form: HTMLFormElement
  /** Where the form says what went wrong. */
  fault: HTMLElement
  out: HTMLButtonElement
  /** Somebody else is in than before: undefined where nothing can be heard until somebody has signed in. */
  changed(person: Person | undefined): void
}

const address = () => addressOf('api/session')

/** Knows at once whether somebody is signed in. */
export function keepSession({ form, fault, out, changed }: SessionParts): Session {
  let person: Person | undefined

  function know(told: Person) {
    const same = person?.name === told.name && person.role === told.role
    person = told
    out.hidden = told.proof === undefined
    out.title = `Sign out ${told.name}, ${told.role}`
    form.hidden = true
    if (!same) changed(told)
  }

  function show(text: string) {
    const wasHidden = form.hidden
    if (text || wasHidden) fault.textContent = text
    out.hidden = true
    form.hidden = false
    person = undefined
    if (!wasHidden) return
    changed(undefined)
    form.querySelector('input')?.focus()
  }

  /** The agent's own words where it refuses, or that it does not answer. */
  async function ask(init: RequestInit): Promise<{ status: number; told: Partial<Person> & { detail?: string } }> {
    try {
      const response = await fetch(address(), init)
      const isJson = response.headers.get('content-type')?.includes('json')
      return { status: response.status, told: isJson ? await response.json() : {} }
    } catch {
      return { status: 0, told: { detail: 'The agent does not answer' } }
    }
  }

  async function check(): Promise<void> {
    const { status, told } = await ask({})
    if (status === 200) know(told as Person)
    if (status === 401) show('')
  }

  form.onsubmit = async (event) => {
    event.preventDefault()
    const fields = new FormData(form)
    const body = JSON.stringify({ name: fields.get('name'), password: fields.get('password') })
    const { status, told } = await ask({ method: 'POST', headers: { 'content-type': 'application/json' }, body })
    if (status !== 200) return show(told.detail ?? `The agent answered ${status}`)
    form.reset()
    know(told as Person)
  }

  out.onclick = async () => {
    await ask({ method: 'DELETE', headers: { 'x-roadmask-proof': person?.proof ?? '' } })
    show('')
  }

  return { check, who: () => person, shut: () => !form.hidden }
}
