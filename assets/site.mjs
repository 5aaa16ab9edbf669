// The scripts of every page. All pages work without them.
import {
  Button,
  Checkboxes,
  createAll,
  ErrorSummary,
  NotificationBanner,
  PasswordInput,
  Radios,
  SkipLink
} from 'nhsuk-frontend'
import { empty } from './kept.mjs'

// A phone that a patient or caregiver used before: nothing of theirs stays where staff are signed in.
if ('staff' in document.documentElement.dataset) {
  navigator.serviceWorker?.getRegistration('/').then((found) => found && Promise.all([empty(), found.unregister()])).catch(() => {})
}

// NHS.UK frontend starts only with this class, which its own page template sets by an inline script.
document.body.classList.add('js-enabled', 'nhsuk-frontend-supported')
for (const component of [Button, Checkboxes, ErrorSummary, NotificationBanner, PasswordInput, Radios, SkipLink]) {
  createAll(component)
}
