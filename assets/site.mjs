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

// NHS.UK frontend starts only with this class, which its own page template sets by an inline script.
document.body.classList.add('js-enabled', 'nhsuk-frontend-supported')
for (const component of [Button, Checkboxes, ErrorSummary, NotificationBanner, PasswordInput, Radios, SkipLink]) {
  createAll(component)
}
