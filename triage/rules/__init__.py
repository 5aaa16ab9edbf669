"""Rules that clinicians own, and the engine that judges a report by them. Pure: see README.md."""
