// Whether this browser may see the agent, and how it gets to: the sign-in form, and the button that signs out. Where the
// agent is open to everyone on its machine nothing of it shows.

interface Told {
  /** To be sent along with whatever changes something; only sessions have it. */
  proof?: string
}

export interface Session {
  /** Shows the form where the agent answers but wants to know who asks. */
  check(): Promise<void>
}

export interface SessionParts {
  form: HTMLFormElement
  /** Where the form says what went wrong. */
  fault: HTMLElement
  out: HTMLButtonElement
  /** The form came up: nothing can be heard until somebody has signed in. */
  shut(): void
  /** Somebody signed in. */
  opened(): void
}

const address = () => new URL('api/session', document.baseURI)

/** Knows at once whether somebody is signed in. */
export function keepSession({ form, fault, out, shut, opened }: SessionParts): Session {
  let proof: string | undefined

  function know(told: Told) {
    proof = told.proof
    out.hidden = proof === undefined
    form.hidden = true
  }

  function show(text: string) {
    const wasHidden = form.hidden
    if (text || wasHidden) fault.textContent = text
    out.hidden = true
    form.hidden = false
    shut()
    if (wasHidden) form.querySelector('input')?.focus()
  }

  /** The agent's own words where it refuses, or that it does not answer. */
  async function ask(init: RequestInit): Promise<{ status: number; told: Told & { detail?: string } }> {
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
    if (status === 200) know(told)
    if (status === 401) show('')
  }

  form.onsubmit = async (event) => {
    event.preventDefault()
    const fields = new FormData(form)
    const body = JSON.stringify({ name: fields.get('name'), password: fields.get('password') })
    const { status, told } = await ask({ method: 'POST', headers: { 'content-type': 'application/json' }, body })
    if (status !== 200) return show(told.detail ?? `The agent answered ${status}`)
    form.reset()
    know(told)
    opened()
  }

  out.onclick = async () => {
    await ask({ method: 'DELETE', headers: { 'x-roadmask-proof': proof ?? '' } })
    show('')
  }

  return { check }
}
