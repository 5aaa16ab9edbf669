// The live queue: asks every two seconds for the rows, and puts what is new into the page without taking away scroll, focus
// or text that somebody is writing. Without this script the page is fetched again by hand.

const EVERY = 2000 // ms between two questions
const PATIENCE = 8000 // a question without an answer for so long counts as lost
const STALE = 10000 // so old, what is shown is no longer called live
const READING = 3000 // so long a new finding stands on the screen before it can be acknowledged

const live = document.getElementById('queue-live')
const state = document.getElementById('queue-state')
const news = document.getElementById('queue-news')
const search = document.getElementById('queue-name')
const found = document.getElementById('queue-found')
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', timeZone: live.dataset.zone })
let confirmed = Date.now() // when the server last said that what is shown is so
let lost = null // since when it does not answer
let over = false // signed out, or a cover is over: nothing more to ask

// --- Asking

async function ask () {
  if (over) return
  try {
    const rows = document.getElementById('queue-rows')
    // A plain ETag is not enough: fetch would hand out the kept page as a 200 and everything would be drawn anew.
    const answer = await fetch(live.dataset.rows + location.search, {
      headers: { 'If-None-Match': `"${rows.dataset.version}"` },
      cache: 'no-store',
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE)
    })
    if (answer.type === 'opaqueredirect' || answer.status === 401 || answer.status === 403) {
      return end('You are signed out.', 'Sign in again', live.dataset.signIn)
    }
    if (answer.status === 410) return end('You do not cover this team any more.', 'Go to your own queue', live.dataset.own)
    if (answer.status === 200) show(await answer.text())
    else if (answer.status !== 304) throw new Error('no rows')
    confirmed = Date.now()
    lost = null
  } catch {
    lost ??= Date.now()
  }
  tell()
  setTimeout(ask, EVERY)
}

function end (why, next, href) {
  over = true
  const link = document.createElement('a')
  link.href = href
  link.textContent = next
  state.replaceChildren(`${why} What is shown is as of ${clock.format(confirmed)} and no longer changes. `, link)
  live.classList.add('app-live--lost')
  news.textContent = `${why} The queue no longer changes.`
}

function tell () {
  if (over) return
  const age = Math.round((Date.now() - confirmed) / 1000)
  const shown = `as of ${clock.format(confirmed)}, ${age < 2 ? 'just now' : `${age} seconds ago`}`
  const away = lost !== null || age * 1000 > STALE
  if (away && !live.classList.contains('app-live--lost')) news.textContent = 'Connection lost. The queue is not up to date.'
  if (!away && live.classList.contains('app-live--lost')) news.textContent = 'Connected again. The queue is up to date.'
  live.classList.toggle('app-live--lost', away)
  state.textContent = away
    ? `Connection lost since ${clock.format(lost ?? confirmed)}. What is shown is ${shown}. Trying again.`
    : `Live, ${shown}.`
}

// --- Showing

function show (html) {
  const old = document.getElementById('queue-rows')
  const fresh = new DOMParser().parseFromString(html, 'text/html').getElementById('queue-rows')
  if (!fresh) throw new Error('no rows')
  const before = new Map([...old.querySelectorAll('.app-queue__row')].map((row) => [row.id, { ...row.dataset }]))
  const coming = [...fresh.querySelectorAll('.app-queue__row')].filter((row) => {
    const was = before.get(row.id)
    return !was || ['rank', 'seen', 'overdue'].some((what) => Number(row.dataset[what]) > Number(was[what]))
  })
  const out = fresh.dataset.out && !old.dataset.out
  const anchor = held(old)
  const top = anchor?.getBoundingClientRect().top
  become(old, fresh)
  if (anchor?.isConnected) window.scrollBy(0, anchor.getBoundingClientRect().top - top)
  document.title = old.dataset.title
  filterNames()
  if (coming.length || out) {
    const lines = coming.map((row) => `${overdueOnly(row, before.get(row.id)) ? 'Call-back overdue' : 'New'}: ${row.dataset.name}, ${row.dataset.urgency}`)
    if (out) lines.unshift('Messages may not be going out')
    news.textContent = lines.join('. ')
    beep()
  }
}

const overdueOnly = (row, was) => was !== undefined && row.dataset.rank === was.rank && row.dataset.seen === was.seen

// The row that must not move: the one somebody works in or points at, else the first in sight once the page is scrolled.
function held (rows) {
  const all = [...rows.querySelectorAll('.app-queue__row')]
  return rows.querySelector('.app-queue__row:focus-within') ?? rows.querySelector('.app-queue__row:hover') ??
    (window.scrollY > 0 ? all.find((row) => row.getBoundingClientRect().bottom > 0) : undefined)
}

const sameKind = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id ?? '') === (other.id ?? '') && (one.id || one.getAttribute?.('class') === other.getAttribute?.('class') || one.nodeType === 3)

// Makes an old node like the fresh one, and keeps it: with it stay the focus, open details and what is being written.
function become (old, fresh) {
  if (old.nodeType === 3) {
    if (old.data !== fresh.data) old.data = fresh.data
    return
  }
  if (old.nodeType !== 1) return
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) === value || kept(old, name)) continue
    // Which findings were seen stands in the address of the form. Somebody who presses while the row changes has not
    // read the new one: for a moment the old address stays, and the server then refuses.
    if (name === 'action') setTimeout(() => old.setAttribute('action', value), READING)
    else old.setAttribute(name, value)
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !kept(old, name)) old.removeAttribute(name)
  if (old.matches('textarea')) return
  const left = [...old.childNodes]
  const wanted = [...fresh.childNodes].map((child) => {
    const place = left.findIndex((other) => sameKind(other, child))
    if (place < 0) return document.importNode(child, true)
    const [mine] = left.splice(place, 1)
    become(mine, child)
    return mine
  })
  for (const gone of left) gone.remove()
  let next = old.firstChild
  for (const child of wanted) {
    // Moving a node takes its focus away; so the others are moved around the one that has it.
    while (next && next !== child && child.contains(document.activeElement)) {
      const other = next
      next = next.nextSibling
      old.append(other)
    }
    if (next === child) next = next.nextSibling
    else old.insertBefore(child, next)
  }
}

const kept = (node, name) => name === 'hidden' || (node.matches('details') && name === 'open') ||
  (node.matches('input, select') && ['value', 'checked'].includes(name))

// --- Finding a name. It stays in this browser: a name in an address would stand in logs and histories.

function filterNames () {
  const wanted = search.value.trim().toLocaleLowerCase()
  let matching = 0
  let urgent = 0
  for (const row of document.querySelectorAll('#queue-rows .app-queue__row')) {
    const match = row.dataset.name.toLocaleLowerCase().includes(wanted)
    const stays = Number(row.dataset.rank) >= 2 // urgent alerts stand in every view
    row.hidden = !match && !stays
    matching += match
    urgent += !match && stays
  }
  found.textContent = wanted
    ? `${matching} ${matching === 1 ? 'name matches' : 'names match'}.` + (urgent ? ` ${urgent} urgent ${urgent === 1 ? 'alert does' : 'alerts do'} not, and ${urgent === 1 ? 'stays' : 'stay'} listed.` : '')
    : ''
}

// --- The sound. A browser lets a page sound only after somebody has clicked or typed on it.

const SOUND = 'triage-queue-sound'
const button = document.getElementById('queue-sound')
let audio = null

const wantsSound = () => { try { return localStorage.getItem(SOUND) === 'on' } catch { return button.dataset.wanted === 'on' } }
function wish (value) { button.dataset.wanted = value; try { localStorage.setItem(SOUND, value) } catch { /* for this page only */ } }

function showSound () {
  const on = wantsSound()
  button.textContent = !on ? 'Sound: off' : audio?.state === 'running' ? 'Sound: on' : 'Sound: on after your next click on this page'
}

async function mayNowSound () {
  if (!wantsSound()) return
  audio ??= new AudioContext()
  await audio.resume()
  showSound()
}

function beep () {
  if (!wantsSound() || audio?.state !== 'running') return
  for (const [after, pitch] of [[0, 660], [0.25, 880]]) {
    const tone = audio.createOscillator()
    const loudness = audio.createGain()
    tone.frequency.value = pitch
    loudness.gain.setValueAtTime(0.2, audio.currentTime + after)
    loudness.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + after + 0.22)
    tone.connect(loudness).connect(audio.destination)
    tone.start(audio.currentTime + after)
    tone.stop(audio.currentTime + after + 0.24)
  }
}

button.addEventListener('click', async () => {
  wish(wantsSound() ? 'off' : 'on')
  await mayNowSound()
  showSound()
  beep()
})
document.addEventListener('pointerdown', mayNowSound)
document.addEventListener('keydown', mayNowSound)

// --- Keys. One-letter keys get in the way of speech input and slips of the hand, so they can be turned off.

const KEYS = 'triage-queue-keys'
const keySwitch = document.getElementById('queue-keys-switch')

const wantsKeys = () => { try { return localStorage.getItem(KEYS) !== 'off' } catch { return keySwitch.dataset.wanted !== 'off' } }
function showKeys () { keySwitch.textContent = wantsKeys() ? 'Keys: on' : 'Keys: off' }

keySwitch.addEventListener('click', () => {
  const value = wantsKeys() ? 'off' : 'on'
  keySwitch.dataset.wanted = value
  try { localStorage.setItem(KEYS, value) } catch { /* for this page only */ }
  showKeys()
})

document.addEventListener('keydown', (event) => {
  if (!wantsKeys() || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return
  if (event.target.closest('input, select, textarea, [contenteditable]')) return
  const rows = [...document.querySelectorAll('#queue-rows .app-queue__row')].filter((row) => !row.hidden)
  const marked = event.target.closest('.app-queue__row')
  // Arrows scroll the page, as everywhere, until a row is marked.
  const arrows = event.target === marked
  const step = event.key === 'j' || (arrows && event.key === 'ArrowDown') ? 1 : event.key === 'k' || (arrows && event.key === 'ArrowUp') ? -1 : 0
  if (step && rows.length) {
    const place = rows.indexOf(marked)
    rows[place < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(place + step, 0), rows.length - 1)].focus()
  } else if (event.key === 'Enter' && arrows && marked) {
    marked.querySelector('.app-queue__open').click()
  } else if (event.key === '/') {
    search.focus()
  } else return
  event.preventDefault()
})

document.getElementById('queue-keys').hidden = false
showKeys()
document.getElementById('queue-by-hand').hidden = true
document.getElementById('queue-search').hidden = false
search.addEventListener('input', filterNames)
live.hidden = false
showSound()
tell()
setInterval(tell, 1000)
setTimeout(ask, EVERY)
// A tab that was in the background is asked at once when somebody looks at it again.
document.addEventListener('visibilitychange', tell)
