// The address of a QR code carries the code of an invitation behind its #, which no server sees. It is put into the form,
// and taken out of the address and the history. Without this script the code is typed from the sheet.
const code = decodeURIComponent(location.hash.slice(1))
if (/^[a-z]{4}(-[a-z]{4}){4}$/.test(code)) {
  const field = document.getElementById('code')
  if (field) field.value = code
}
if (location.hash) history.replaceState(null, '', location.pathname)
