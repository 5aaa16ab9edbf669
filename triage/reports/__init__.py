"""The road of a report: form, draft, judgment, result."""
