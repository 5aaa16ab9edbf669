// On pages of patients and caregivers, on those before signing in, and on the page that is stored: says what this phone keeps
// and has not sent, and has it sent. Everything else works without it.
import { drop, forms, noted, unnote, worst } from './kept.mjs'

const EVERY = 30_000 // milliseconds; a server that was down tells nobody when it is back
const root = document.documentElement
const me = root.dataset.reporter // a stamp; none on the stored page and before signing in
const isStored = 'state' in root.dataset
const saysSo = ['emergency', 'urgent', 'report', 'step'].includes(root.dataset.state) // the stored page itself, in a card
// What was sent may ask for a call now: whoever has just come to a page is led there, whoever is busy with it reads a line.
let typed = false
document.addEventListener('input', () => { typed = true })
const isUntouched = () => !typed && performance.now() < 5_000
const bar = document.getElementById('unsent')
const clock = (at) => new Date(at).toLocaleString(root.lang, { weekday: 'long', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })

// The forms of whoever is signed in. What another person left is never shown; the worker deletes it.
const mine = async () => (await forms()).filter((form) => !me || form.whose === me)

function say (name, about) {
  const line = bar.querySelector(`[data-says="${name}"]`)
  line.hidden = !about
  if (!about) return
  for (const time of line.querySelectorAll('[data-at]')) time.textContent = clock(about.at)
  if (about.url) line.querySelector('a').href = about.url
}

async function show () {
  const kept = await mine()
  const finished = kept.filter((form) => form.finished)
  const strange = me && await noted('reporter') !== me
  const [sent, open, gone, signIn] = strange ? [] : await Promise.all(['sent', 'open', 'gone', 'sign-in'].map(noted))
  for (const [name, about] of Object.entries({ sent, open })) {
    if (about?.url === location.pathname) await unnote(name)
  }
  const news = (about) => about?.url !== location.pathname && about
  for (const call of ['emergency', 'urgent', 'report']) say(call, !saysSo && call === worst(finished) && finished[0])
  say('step', !saysSo && !finished.length && kept[0])
  say('sign-in', kept.length && signIn && !me && kept[0])
  say('sent', !finished.length && news(sent))
  say('open', !kept.length && !news(sent) && news(open))
  say('gone', gone)
  bar.hidden = !bar.querySelector('[data-says]:not([hidden])')
}

async function start () {
  const workers = navigator.serviceWorker
  if (!me && !await workers.getRegistration('/')) return
  await show()
  if (me) await workers.register('/static/worker.js', { scope: '/' })
  workers.addEventListener('message', ({ data }) => data.next && (isStored || isUntouched()) ? location.assign(data.next) : show())
  const worker = (await workers.ready).active
  const look = () => worker.postMessage(me ? { reporter: me } : {})
  window.addEventListener('online', look)
  setInterval(async () => { if ((await mine()).length) look() }, EVERY)
  bar.querySelector('button').addEventListener('click', () => unnote('gone').then(show))
  look()
}

// Signing out deletes what is kept, so whoever does it is asked.
for (const form of document.querySelectorAll('form[action="/sign-out"]')) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const kept = await mine().catch(() => [])
    if (kept.length && !confirm(form.dataset.unsent)) return
    for (const one of kept) await drop(one.key)
    form.submit()
  })
}

for (const part of document.querySelectorAll('[data-stored]')) {
  const minutes = Math.floor((Date.now() - part.dataset.stored * 1000) / 60_000)
  const [number, unit] = minutes < 60 ? [minutes, 'minute'] : minutes < 2880 ? [Math.floor(minutes / 60), 'hour'] : [Math.floor(minutes / 1440), 'day']
  part.textContent = `, ${new Intl.RelativeTimeFormat(root.lang).format(-Math.max(0, number), unit)}`
}

if (navigator.serviceWorker && window.indexedDB) start().catch(() => {}) // a browser that stores nothing for us: all else works
