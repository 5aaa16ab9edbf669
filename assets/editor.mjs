// The code editor of rule files, on clinicians' pages only. The page works without it: the text area is the form's field,
// and the editor writes into it.
import { autocompletion } from '@codemirror/autocomplete'
import { yaml } from '@codemirror/lang-yaml'
import { setDiagnostics } from '@codemirror/lint'
import { EditorView } from '@codemirror/view'
import { basicSetup } from 'codemirror'

const REST = 600 // milliseconds after the last key before the server is asked

const area = document.querySelector('[data-editor]')
const form = area.form
const state = document.getElementById('editor-state')
const told = document.getElementById('editor-told')
const listed = document.getElementById('editor-problems')
const ran = document.getElementById('editor-ran')
const words = JSON.parse(area.dataset.words)
const file = document.querySelector('h1').textContent

// The key that decides which words fit: the one whose value is begun before the cursor, or the one in whose braces,
// brackets or lines below it stands; '' for the keys of a whole entry.
function key(state, position) {
  const line = state.doc.lineAt(position)
  const before = state.sliceDoc(line.from, position)
  const [whole, spaces, dash] = before.match(/^( *)(- +)?/)
  const open = [] // of each brace and bracket that is not closed yet, the key before it
  let last = ''
  for (const [, word, mark] of before.slice(whole.length).matchAll(/([a-z_]+) *:(?= |$)|([{}[\],])/g)) {
    if (mark === '{' || mark === '[') open.push(last)
    else if (mark === '}' || mark === ']') open.pop()
    last = word || ''
  }
  return last || open.reverse().find(Boolean) || above(state, line.number, whole.length, dash ? spaces.length : -1)
}

// The key of the nearest line above in whose lines an entry stands that begins in that column, or with a dash in that one.
function above(state, number, column, dash) {
  let own = dash < 0 ? column : -1
  let most = dash < 0 ? column - 1 : dash
  while (--number > 0) {
    const text = state.doc.line(number).text
    const [whole, spaces, dashes] = text.match(/^( *)((?:- +)*)/)
    const rest = text.slice(whole.length)
    if (!rest || rest.startsWith('#')) continue
    const first = dashes && whole.length === own // the line that begins the list's item in which the entry stands
    const key = rest.match(/^([a-z_]+): *(?:[>|][-+0-9]*)? *(?:#.*)?$/)
    if (whole.length <= most && key) return key[1]
    if (first || whole.length <= most) {
      own = dashes ? -1 : whole.length
      most = dashes ? spaces.length : whole.length - 1
    }
  }
  return ''
}

function complete(context) {
  const word = context.matchBefore(/[a-z_-]+/)
  if (!word && !context.explicit) return null
  const from = word ? word.from : context.pos
  const offered = words[key(context.state, from)]
  if (!offered) return null
  return { from, options: offered.map(([label, detail]) => ({ label, detail })), validFor: /^[a-z_-]*$/ }
}

function diagnostics(doc, problems) {
  return problems.filter((one) => one.file === file).map((one) => {
    const line = doc.line(Math.min(one.line, doc.lines))
    const from = Math.min(line.from + one.column - 1, line.to)
    const rest = doc.sliceString(from, line.to).match(/^[^,}\]#]+/)
    return { from, to: Math.min(from + (rest ? rest[0].trimEnd().length : 1), line.to), severity: one.error ? 'error' : 'warning', message: one.message }
  })
}

function element(name, text, ...classes) {
  const made = document.createElement(name)
  made.textContent = text
  made.classList.add(...classes)
  return made
}

function showProblems(problems) {
  const items = problems.map((one) => {
    const item = element('li', '')
    item.append(
      element('strong', one.error ? 'Mistake' : 'Warning', 'nhsuk-tag', one.error ? 'nhsuk-tag--red' : 'nhsuk-tag--yellow'),
      ` ${one.file}, line ${one.line}: ${one.message}`
    )
    return item
  })
  const list = element('ul', '', 'nhsuk-list', 'app-problems')
  list.append(...items)
  listed.replaceChildren(items.length ? list : element('p', 'None.'))
}

function showRules(rules) {
  if (!rules) return
  told.replaceChildren(...rules.flatMap((rule) => {
    const list = element('ul', '', 'nhsuk-list', 'app-small')
    list.append(...rule.told.map((sentence) => element('li', sentence)))
    const link = element('a', rule.title, 'nhsuk-link')
    link.href = rule.href
    const heading = element('h3', '', 'nhsuk-heading-s')
    heading.append(link)
    return [heading, list]
  }))
}

let asked = 0
async function check() {
  const number = ++asked
  const text = view.state.doc.toString()
  const body = new URLSearchParams({ csrf_token: form.csrf_token.value, seen: form.seen.value, text })
  state.textContent = 'Saving …'
  try {
    const answer = await fetch(area.dataset.editor, { method: 'POST', body, headers: { Accept: 'application/json' } })
    const type = answer.headers.get('Content-Type') || ''
    if (!type.startsWith('application/json')) throw new Error(answer.statusText)
    const found = await answer.json()
    if (!found.saved) {
      state.textContent = `Not saved: ${found.why}. Press “Check and run the examples” to see both.`
      return
    }
    form.seen.value = found.seen
    if (number !== asked || view.state.doc.toString() !== text) return // more was typed meanwhile, and is on its way
    unsaved = false
    state.textContent = `Saved in your draft. ${found.problems.length ? 'See the mistakes and warnings.' : 'No mistakes and no warnings.'}`
    view.dispatch(setDiagnostics(view.state, diagnostics(view.state.doc, found.problems)))
    showProblems(found.problems)
    ran.textContent = found.ran || 'They can be run as soon as the mistakes are mended.'
    showRules(found.rules)
  } catch {
    state.textContent = 'Not saved: the server does not answer. Keep this page open; it tries again when you type, or press “Check and run the examples”.'
  }
}

// One question at a time, and the last text always asked for: answers then come in order.
let running = Promise.resolve()
let waiting
let unsaved = false
function now() {
  clearTimeout(waiting)
  running = running.then(check)
}
function later() {
  clearTimeout(waiting)
  unsaved = true
  state.textContent = 'Not saved yet …'
  waiting = setTimeout(now, REST)
}

// Leaving the page: what was typed in the last moment is saved first, or the browser asks.
document.addEventListener('visibilitychange', () => { if (unsaved && document.visibilityState === 'hidden') now() })
window.addEventListener('beforeunload', (event) => {
  if (!unsaved) return
  now()
  event.preventDefault()
})

const view = new EditorView({
  doc: area.value,
  extensions: [
    basicSetup,
    yaml(),
    EditorView.lineWrapping,
    autocompletion({ override: [complete], activateOnTyping: true }),
    EditorView.cspNonce.of(document.querySelector('meta[name="style-nonce"]').content),
    EditorView.contentAttributes.of({ 'aria-label': 'The text of the file', tabindex: '0', 'aria-describedby': 'text-hint' }),
    EditorView.updateListener.of((update) => {
      if (!update.docChanged) return
      area.value = update.state.doc.toString()
      later()
    }),
    EditorView.theme({
      '&': { border: '2px solid #212b32', backgroundColor: '#fff', maxHeight: '70vh' },
      '&.cm-focused': { outline: '4px solid #ffeb3b' },
      '.cm-scroller': { overflow: 'auto', fontFamily: 'ui-monospace, Consolas, Menlo, monospace', fontSize: '15px' },
      // The library draws these with images inside the style sheet, which our policy does not allow.
      '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy #d5281b 2px', backgroundColor: '#fbe9e7' },
      '.cm-lintRange-warning': { backgroundImage: 'none', textDecoration: 'underline wavy #a06000 2px', backgroundColor: '#fff8dc' }
    })
  ]
})
area.before(view.dom)
area.hidden = true
document.querySelector('label[for="text"]').addEventListener('click', () => view.focus())
form.addEventListener('submit', () => { clearTimeout(waiting); unsaved = false; area.value = view.state.doc.toString() })
view.dispatch(setDiagnostics(view.state, diagnostics(view.state.doc, JSON.parse(area.dataset.problems))))

const wanted = Number((location.hash.match(/^#line-(\d+)$/) || [])[1])
if (wanted && wanted <= view.state.doc.lines) {
  const at = view.state.doc.line(wanted).from
  view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) })
  view.focus()
}
