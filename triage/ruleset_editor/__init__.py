"""The rules as clinicians see them, and the rulesets that were ever used."""
