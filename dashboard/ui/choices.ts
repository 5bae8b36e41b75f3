// What somebody has chosen in this browser. It lives in localStorage, which throws where a browser forbids it: then choices last
// as long as the page.

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(`roadmask.${key}`)
  } catch {
    return null
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`roadmask.${key}`, value)
  } catch {}
}
