// What a phone keeps while it has no connection: forms of a report, in IndexedDB. Used by pages and by the worker.
export const LONGEST = 72 * 3_600_000 // milliseconds; triage/reports/services.py LONGEST_WAIT is the same
export const CACHE = 'triage'
export const PAGE = '/no-connection' // the stored page

const open = () => new Promise((resolve, reject) => {
  const request = indexedDB.open('triage', 1)
  request.onupgradeneeded = () => {
    request.result.createObjectStore('forms', { keyPath: 'key' })
    request.result.createObjectStore('notes')
  }
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error)
})

// Opened for each use: a database that is open keeps the browser from deleting it.
async function inside (mode, work) {
  const database = await open()
  try {
    const transaction = database.transaction(['forms', 'notes'], mode)
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve
      transaction.onabort = () => reject(transaction.error)
    })
    const request = work(transaction.objectStore('forms'), transaction.objectStore('notes'))
    await done
    return request.result
  } finally {
    database.close()
  }
}

// The forms, the earliest first. Each: key, path, fields, at (milliseconds), whose (a stamp), call ('emergency', 'urgent' or
// ''), finished (a report, or the answers of one page).
export const forms = async () => (await inside('readonly', (forms) => forms.getAll())).sort((one, other) => one.at - other.at)
export const keep = (form) => inside('readwrite', (forms) => forms.put(form))
export const drop = (key) => inside('readwrite', (forms) => forms.delete(key))
// What is to be done meanwhile, by the most urgent of these finished reports.
export const worst = (finished) => ['emergency', 'urgent'].find((call) => finished.some((form) => form.call === call)) || 'report'

// What else is remembered: 'reporter' (whose phone it is, a stamp), 'stored' (when the page was), and for the next page that
// is looked at 'sent', 'open', 'gone' and 'sign-in'.
export const noted = (name) => inside('readonly', (_, notes) => notes.get(name))
export const note = (name, value) => inside('readwrite', (_, notes) => notes.put(value, name))
export const unnote = (name) => inside('readwrite', (_, notes) => notes.delete(name))

export const empty = async () => {
  await inside('readwrite', (forms, notes) => { forms.clear(); return notes.clear() })
  await caches.delete(CACHE)
}
