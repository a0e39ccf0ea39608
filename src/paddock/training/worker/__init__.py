"""What trains, in a process of its own and with the libraries of the training stack; nothing else imports torch."""
