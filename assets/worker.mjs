// The service worker of patients' and caregivers' pages. It stores one page without anything personal, shows it where there
// is no connection, and keeps a report that cannot be sent until it can. Everything else passes: no page of a person is stored.
import { CACHE, LONGEST, PAGE, drop, empty, forms, keep, note, noted, worst } from './kept.mjs'

const PARTS = ['/static/site.css', '/static/reporter.js', '/static/icon.svg'] // what the stored page is made of
const OURS = /^\/($|sign-in$|emergency$|account|report$|report\/|reports|my-record|reminders|thinking-check\/|who-looked$|on-this-phone$)/
const KEPT = /^\/(report|thinking-check)\/[a-z-]+$/ // forms of these are kept, others have to be filled in again
const PATIENCE = 10_000 // milliseconds: then a connection that does not answer counts as none
const EMERGENCY_PATIENCE = 3_000
const STORE_EVERY = 10 * 60_000
const NO_ANSWER = ['none', 'unsure']

self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (origin !== self.location.origin) return
  if (PARTS.includes(pathname)) event.respondWith(fetch(request).catch(() => stored(pathname)))
  else if (request.mode !== 'navigate') return
  else if (pathname === '/sign-out') { if (!navigator.onLine) event.respondWith(shown('sign-out')) }
  else if (!OURS.test(pathname)) return
  else if (request.method === 'GET') event.respondWith(asked(request, pathname))
  else if (KEPT.test(pathname)) event.respondWith(answered(request, pathname))
  else event.respondWith(fetch(request).catch(() => shown('lost')))
})

self.addEventListener('message', (event) => {
  if (event.data.reporter) event.waitUntil(visit(event.data.reporter))
  else event.waitUntil(tryTwice())
})
self.addEventListener('sync', (event) => event.waitUntil(send())) // one that fails is tried again by the browser

// --- without a connection

// A request of a page cannot be given up, only not waited for. Sent late after all it is the same report: its token tells.
const inTime = (request, patience = PATIENCE) => Promise.race([
  fetch(request),
  new Promise((_, reject) => setTimeout(reject, patience, new Error('no answer')))
])

async function asked (request, path) {
  const emergency = path === '/emergency'
  try {
    const answer = await inTime(request, emergency ? EMERGENCY_PATIENCE : PATIENCE)
    // Broken, and not by a page of ours, which says whom to call: something between says that it reaches no server.
    if (answer.status < 500 || (!emergency && answer.headers.has('Content-Security-Policy'))) return answer
  } catch { /* no connection */ }
  return shown()
}

async function answered (request, path) {
  const fields = [...await request.clone().formData()]
  const at = Date.now()
  try {
    const answer = await inTime(request)
    if (answer.status < 500) return answer // also the sign-in page, which carries the fields along
  } catch { /* no connection */ }
  try {
    await keep(await made(path, fields, at))
  } catch {
    return shown('lost')
  }
  await self.registration.sync?.register('kept').catch(() => {})
  return shown()
}

// The form as it is kept. A finished report that is there already stays as it is: it was answered then.
async function made (path, fields, at) {
  const value = (name) => fields.find(([field]) => field === name)?.[1] || ''
  const ticked = fields.filter(([name, value]) => name === 'signs' && !NO_ANSWER.includes(value)).map(([, value]) => value)
  const danger = path === '/report/danger' && ticked.length > 0
  const finished = danger || path === '/report/send' || path === '/report/too-unwell'
  const key = finished ? [path, value('token'), ...ticked].join(' ') : path
  const before = finished && (await forms()).find((form) => form.key === key)
  return before || {
    key,
    path,
    at,
    finished,
    call: danger ? 'emergency' : value('meanwhile'),
    whose: value('for_person'),
    fields: fields.filter(([name]) => name !== 'csrf_token' && name !== 'meanwhile')
  }
}

const stored = async (path) => await (await caches.open(CACHE)).match(path) || Response.error()

// The stored page; `state` says which of its parts are seen.
async function shown (state) {
  const page = await stored(PAGE)
  if (page.type === 'error') return page
  const kept = await forms().catch(() => [])
  const finished = kept.filter((form) => form.finished)
  const now = state || (finished.length ? worst(finished) : kept.length ? 'step' : 'none')
  const text = (await page.text()).replace('data-state="none"', `data-state="${now}"`)
  const headers = new Headers(page.headers)
  headers.delete('Content-Encoding')
  headers.delete('Content-Length')
  return new Response(text, { headers })
}

// --- with one

// Somebody looks at a page of ours: what another person left on this phone goes, what is kept is sent, the page stored anew.
async function visit (reporter) {
  if (await noted('reporter') !== reporter) {
    await empty()
    await note('reporter', reporter)
  }
  await tryTwice()
  const before = await noted('stored')
  if (before && Date.now() - before < STORE_EVERY) return
  const page = await fetch(PAGE, { redirect: 'error' }).catch(() => null)
  if (!page?.ok) return
  const cache = await caches.open(CACHE)
  await cache.put(PAGE, page)
  await cache.addAll(PARTS)
  await note('stored', Date.now())
}

const inPatience = () => AbortSignal.timeout?.(PATIENCE) // older phones have none, and wait longer

let sending
const send = () => { sending ??= sendAll().finally(() => { sending = undefined }); return sending }

// The first may have joined one that was begun while there was no connection, and fails with it.
const tryTwice = () => send().catch(send).catch(() => {})

// Send what is kept, the earliest first. Throws where there is still no connection.
async function sendAll () {
  let all = await forms()
  for (const form of all.filter((form) => Date.now() - form.at > LONGEST)) {
    await drop(form.key)
    if (form.finished) await note('gone', { at: form.at })
  }
  all = await forms()
  if (!all.length) return tell()
  const permit = await fetch('/report/token', { redirect: 'manual', signal: inPatience() })
  if (permit.status >= 500) throw new Error('no answer')
  if (!permit.ok) {
    await note('sign-in', true)
    return tell()
  }
  const { csrf_token: token, reporter } = await permit.json()
  await note('sign-in', false)
  let next
  for (const form of all) {
    if (form.whose !== reporter) await drop(form.key)
    else next = await sendOne(form, token)
  }
  return tell(next)
}

// Returns where to go on.

async function sendOne (form, token) {
  const waited = String(Math.max(0, Math.round((Date.now() - form.at) / 1000)))
  const body = new URLSearchParams([...form.fields, ['csrf_token', token], ['waited', waited]])
  const answer = await fetch(form.path, { method: 'POST', body, signal: inPatience() })
  if (!answer.ok && answer.status !== 422) throw new Error('not taken') // it stays, and is tried again
  await drop(form.key)
  const told = answer.headers.get('Content-Type').startsWith('application/json')
  const { pathname: next } = new URL(told ? (await answer.json()).next : answer.url, self.location)
  await note(next.startsWith('/reports/') ? 'sent' : 'open', { url: next, at: form.at })
  return next
}

async function tell (next) {
  for (const client of await self.clients.matchAll({ includeUncontrolled: true })) client.postMessage({ next })
}
