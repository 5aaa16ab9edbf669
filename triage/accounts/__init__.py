"""People: signing in, roles, enrolment; the way to fetch a row for a person, and the audit trail."""
