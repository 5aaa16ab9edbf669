// What was done about a report: fetched again each half minute while somebody looks. The page works without it.
const EVERY = 30_000 // milliseconds

const look = async () => {
  if (document.hidden) return
  try {
    const answer = await fetch(location.href, { redirect: 'error' })
    if (!answer.ok) return
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    for (const part of document.querySelectorAll('[data-again]')) {
      const now = page.getElementById(part.id)
      // Only what is new, so that a screen reader speaks only when there is news.
      if (now && now.textContent !== part.textContent) part.replaceChildren(...now.childNodes)
    }
  } catch {
    // No connection, or signed out: the page tells of when it is.
  }
}

if (document.querySelector('[data-again]')) {
  setInterval(look, EVERY)
  document.addEventListener('visibilitychange', look)
}
