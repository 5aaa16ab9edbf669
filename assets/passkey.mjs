// Asks the person's device to make a passkey, or to sign with one, and sends what it answers with the form around the button.
// Without this script, or in a browser that knows no passkeys, the button is not there.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (letter) => letter.charCodeAt(0))
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
const listed = (keys) => (keys || []).map((key) => ({ ...key, id: bytes(key.id) }))

// By hand: phones of a few years ago do not read and write these as JSON themselves.
async function make (asked) {
  const user = { ...asked.user, id: bytes(asked.user.id) }
  const publicKey = { ...asked, user, challenge: bytes(asked.challenge), excludeCredentials: listed(asked.excludeCredentials) }
  const made = await navigator.credentials.create({ publicKey })
  return answer(made, { attestationObject: text(made.response.attestationObject) })
}

async function sign (asked) {
  const publicKey = { ...asked, challenge: bytes(asked.challenge), allowCredentials: listed(asked.allowCredentials) }
  const signed = await navigator.credentials.get({ publicKey })
  const { authenticatorData, signature, userHandle } = signed.response
  return answer(signed, { authenticatorData: text(authenticatorData), signature: text(signature), userHandle: userHandle && text(userHandle) })
}

function answer (key, response) {
  const clientDataJSON = text(key.response.clientDataJSON)
  return JSON.stringify({ id: key.id, rawId: text(key.rawId), type: key.type, response: { ...response, clientDataJSON } })
}

async function challenge (form) {
  const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value })
  const response = await fetch(form.dataset.passkeyAsks, { method: 'POST', body })
  if (!response.ok) throw new TypeError('no challenge')
  return response.json()
}

function start (form) {
  const { passkeyMakes, passkeyAsks } = form.dataset
  const says = (name) => { for (const line of form.querySelectorAll('[data-says]')) line.hidden = line.dataset.says !== name }
  let busy = false
  form.hidden = false
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    if (busy) return
    busy = true
    says('')
    let asked = null
    try {
      asked = passkeyAsks ? await challenge(form) : JSON.parse(passkeyMakes)
      form.elements.answer.value = passkeyAsks ? await sign(asked) : await make(asked)
      form.submit()
    } catch {
      says(asked ? 'failed' : 'lost')
    } finally {
      busy = false
    }
  })
}

if (window.PublicKeyCredential && navigator.credentials) {
  for (const form of document.querySelectorAll('[data-passkey-makes], [data-passkey-asks]')) start(form)
  for (const line of document.querySelectorAll('[data-passkey-without]')) line.hidden = true
}
