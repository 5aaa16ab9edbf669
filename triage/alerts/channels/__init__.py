"""What carries a message out of the program: one file a channel, each with one method that sends or raises."""
