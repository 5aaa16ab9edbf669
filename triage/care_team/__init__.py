"""What nurses work with: the queue and the patient record."""
