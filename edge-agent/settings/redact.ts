// What must not be read in logs. By itself, so that a camera process loads no logger for it.

/** Names of what holds a secret, as in `access_token=` and GStreamer's `user-pw=`, which takes spaces around the sign. */
const assigned =
  /(?<![\w-])([\w-]*(?:pass\w*|pwd?|token|auth|authorization|secret|key|sig|signature))\s*=\s*(?:\(\w+\)\s*)?(\\?"(\\.|[^"\\])*"|'(\\.|[^'\\])*'|[^&\s"']*)/gi

/** A text without the passwords in it: `user:password@` in addresses, and parameters of such names. */
export const withoutSecrets = (text: string) => text.replace(/(\w+:\/\/)\S*@/g, '$1***@').replace(assigned, '$1=***')
