// What must not be read in logs. By itself, so that a camera process loads no logger for it.

/** A text without the passwords in it: `user:password@` in addresses, such parameters as `password=`, GStreamer's `user-pw=`. */
export const withoutSecrets = (text: string) =>
  text
    .replace(/(\w+:\/\/)[^\s"']*@/g, '$1***@')
    .replace(/\b(pass\w*|pwd?|token|auth)=("(\\.|[^"\\])*"|'(\\.|[^'\\])*'|[^&\s"']*)/gi, '$1=***')
