"""What reaches the terminal: cleaned text, and one line for whatever goes wrong."""
